// SPDX-License-Identifier: Apache-2.0

package asap_test

import (
	"slices"
	"testing"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/wire"
)

// An element that registers at two registrars within a second may be yielded to the one that it has left.
func TestYieldedIsRestored(t *testing.T) {
	gone := []event{registers(0, "a", "web", 1, port(81)), learns(0.5, peerA, "web", 1)}
	back := []string{"web: 1 up", probe1}
	restored := then(gone, forgets(3, peerA, "web", 1))
	two := then(restored, registers(3, "a", "web", 2))
	checkRules(t, []rule{
		{"it is the other's", gone, forgets(3, peerB, "db", 1), nil},
		{"that one has lost it: it is ours again, and asked", gone, forgets(3, peerA, "web", 1), back},
		{"whoever told so", gone, forgets(3, peerB, "web", 1), back},
		{"once more", then(restored, acks(4, "a", "web", 1), learns(5, peerA, "web", 1)), forgets(6, peerA, "web", 1), back},
		{"also if another registrar had it meanwhile", then(gone, learns(1, peerB, "web", 1)), forgets(3, peerB, "web", 1), back},
		{"its home died, and we take that over: it has shown itself", gone, takesOver(3, peerA), back},
		{"and has no grace that ends", then(gone, takesOver(3, peerA), acks(4, "a", "web", 1)), passes(18.9), []string{probe1}},
		{"it answers, and is probed as any other", then(restored, acks(4, "a", "web", 1)), passes(19), []string{probe1}},
		{"it does not answer", restored, passes(6), []string{"web: 1 lost"}},
		{"for which the session's others are not blamed", then(two, passes(6)), acks(7, "a", "web", 2), nil},
		{"once it has answered, they are", then(two, acks(4, "a", "web", 1), reports(5, "r", "web", 1)), passes(8), []string{
			"web: 2 away, 1 lost", "close a",
		}},
		{"it leaves here", gone, deregisters(1, "a", "web", 1), []string{"web: 1 deregistered", "a <- deregistration web 1"}},
		{
			"it has left here, whatever is told of it later",
			then(gone, deregisters(1, "a.2", "web", 1), learns(2, peerA, "web", 1)), forgets(3, peerA, "web", 1),
			[]string{"web: 1 forgotten"},
		},
		{
			"it registered again, and then is lost as any other",
			then(gone, registers(1, "a.2", "web", 1), closes(2, "a.2")), passes(4), []string{"web: 1 lost"},
		},
		{"its session ended", then(gone, closes(1, "a")), forgets(3, peerA, "web", 1), []string{"web: 1 forgotten"}},
		{"another session of its identity ended", then(gone, closes(1, "a.2")), forgets(3, peerA, "web", 1), back},
		{"its session ended for another element's silence", then(gone, registers(1, "a", "web", 2), reports(1, "r", "web", 2),
			passes(4)), forgets(5, peerA, "web", 1), []string{"web: 1 forgotten"}},
		{
			"it was away already",
			[]event{registers(0, "a", "web", 1), closes(0, "a"), learns(1, peerA, "web", 1)}, forgets(3, peerA, "web", 1),
			[]string{"web: 1 forgotten"},
		},
		{
			"its life here is over",
			[]event{registers(0, "a", "web", 1, life(2)), learns(1, peerA, "web", 1)}, forgets(3, peerA, "web", 1),
			[]string{"web: 1 forgotten"},
		},
		{"its grant is gone", then(gone, grantsBecome(1)), forgets(3, peerA, "web", 1), []string{"web: 1 forgotten"}},
	})
	reported := []event{
		registers(0, one, "web", 1), learns(0.5, peerA, "web", 1, speaksASAP), reports(1, "r", "web", 1), reaches(2, again, "web", 1),
	}
	probe, closed := string(one)+" <- keep-alive H=false 0x0000f00d web 1", "close "+string(again)
	checkRules(t, []rule{
		{"RFC 5352 3.5: it does not answer elsewhere, and is asked here", reported, passes(5), []string{"web: 1 up", probe, closed}},
		{"it cannot be reached elsewhere, and is asked here", reported[:3], reachesNobody(2, "web", 1), []string{"web: 1 up", probe}},
		{"it is reported too often, and is asked here", then(reported[:3], reports(2, "s", "web", 1), reports(2, "t", "web", 1)),
			reports(2, "b", "web", 1), []string{"web: 1 up", probe}},
	}, unsecured)
}

// The last registration decides: what others are told is what it registered with here.
func TestRestoredIsTold(t *testing.T) {
	w := newWorld()
	w.play(registers(0, "a", "web", 1, life(100)))
	w.play(learns(0.5, peerA, "web", 1, life(50)))
	want := []string{"ADD_PE web 1 home 0x0000f00d life 100"}
	if got := updates(w.play(forgets(3, peerA, "web", 1))); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	w.play(acks(4, "a", "web", 1))
	if n := w.core.Counters(); n.Restored != 1 || n.Yielded != 0 || n.Foreign != 0 {
		t.Errorf("%d restored, %d yielded, %d foreign; want 1, 0, 0", n.Restored, n.Yielded, n.Foreign)
	}
}

func TestYieldedIsBounded(t *testing.T) {
	w := newWorld(func(c *asap.Config) { c.MaxElementsPerIdentity = 3 })
	for id := range wire.PEID(9) {
		w.play(registers(0, "a", "web", id))
		w.play(learns(0, peerA, "web", id))
	}
	if n := w.core.Counters(); n.Yielded != 3 {
		t.Errorf("%d are remembered, want 3", n.Yielded)
	}
	for id := range wire.PEID(3) { // room for two of them
		w.play(registers(1, "a.2", "db", id))
		if id == 0 {
			w.play(forgets(1, peerA, "web", 0))
		}
	}
	if n := w.core.Counters(); n.Restored != 1 || w.core.Space().NumOwned("a") != 3 {
		t.Errorf("%d restored, %d owned; want 1, 3", n.Restored, w.core.Space().NumOwned("a"))
	}
	w.play(forgets(2, peerA, "web", 1))
	w.play(closes(2, "a"))
	if n := w.core.Counters(); n.Restored != 1 || n.Yielded != 0 {
		t.Errorf("%d restored, %d are remembered; want 1, 0", n.Restored, n.Yielded)
	}
}
