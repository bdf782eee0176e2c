// SPDX-License-Identifier: Apache-2.0

package asap_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/wire"
)

func TestTakeOver(t *testing.T) {
	silent := []event{learns(0, peerA, "web", 1), learns(0, peerB, "web", 2)}
	over := then(silent, takesOver(1, peerA))
	brief := []event{learns(0, peerA, "web", 1, life(10)), takesOver(1, peerA)}
	checkRules(t, []rule{
		{"RFC 5353 3.5.2: its elements become ours", silent, takesOver(1, peerA), []string{"web: 1 up, 2 up"}},
		{"of nobody nothing", silent, takesOver(1, 0xcccc), nil},
		{"of ourselves nothing", []event{registers(0, "a", "web", 1)}, takesOver(1, server), nil},
		{"they are resolved all the while", over, resolves(2, "r", "web"), []string{"r <- resolution A=false web 1 2 round-robin"}},
		{"one that has not shown itself has a grace", over, passes(60.9), nil},
		{"in which it must register, or is lost", over, passes(61), []string{"web: 2 up, 1 lost"}},
		{"it registers", over, registers(2, "a", "web", 1), []string{"web: 1 up, 2 up", "a <- registration R=0 web 1"}},
		{"threats 2.4.3: if it may", over, registers(2, "r", "web", 1), []string{"r <- registration R=1 web 1 cause 0xa"}},
		{"and is not lost then", then(over, registers(2, "a", "web", 1), passes(17), acks(18, "a", "web", 1)), passes(23), nil},
		{
			"whatever is reported, it is not removed before its time",
			then(over, reports(2, "r", "web", 1), reports(2, "s", "web", 1), reports(2, "t", "web", 1)),
			reports(2, "b", "web", 1), nil,
		},
		{"it leaves", over, deregisters(2, "a", "web", 1), []string{"web: 2 up, 1 deregistered", "a <- deregistration web 1"}},
		{"a grant is not missed before it has an owner", over, grantsBecome(2), nil},
		{"another registrar has taken it over as well", over, learns(2, peerB, "web", 1), []string{"web: 1 up, 2 up"}},
		{"it is that one's then", then(over, learns(2, peerB, "web", 1)), passes(100), nil},
		{"its life, that its home could not renew, does not cut the grace short", brief, passes(60.9), nil},
		{"nor is it longer for that", brief, passes(61), []string{"web: 1 lost"}},
		{"RFC 5352 3.1: what it registers begins its life", then(brief, registers(2, "a", "web", 1, life(10))), passes(12), []string{
			"web: 1 expired", "a <- deregistration web 1",
		}},
		{
			"threats 2.2.3: a secured registrar reaches nobody without TLS",
			[]event{learns(0, peerA, "web", 1, speaksASAP), takesOver(1, peerA)}, passes(60.9), nil,
		},
	})
}

// An unsecured registrar reaches the elements that it has taken over, if they speak ASAP over SCTP.
func TestTakenOverIsReached(t *testing.T) {
	speaks := []event{learns(0, peerA, "web", 1, speaksASAP)}
	over := then(speaks, takesOver(1, peerA))
	tried := then(over, passes(11))
	asked := then(tried, reaches(11.1, again, "web", 1))
	ours := then(asked, acks(11.2, again, "web", 1))
	reach, closed := []string{"reach web 1 at [10.0.0.1] port 5000"}, "close "+string(again)
	keepAlive := func(h bool) []string {
		return []string{fmt.Sprintf("%s <- keep-alive H=%v 0x0000f00d web 1", again, h)}
	}
	checkRules(t, []rule{
		{"not all at once", over, passes(1.01), nil},
		{"but before long", over, passes(11), reach},
		{"RFC 5353 3.5.2 step 2: with the H flag 1", tried, reaches(11.1, again, "web", 1), keepAlive(true)},
		{"it answers, and is whoever that is", asked, acks(11.2, again, "web", 1), []string{"web: 1 up"}},
		{"and then is probed as any other", ours, passes(26.2), keepAlive(false)},
		{"and goes with its session", ours, closes(12, again), []string{"web: 1 away"}},
		{"if it does not answer, it is lost", asked, passes(14.2), []string{"web: 1 lost", closed}},
		{"an answer from elsewhere is none", then(asked, acks(11.2, one, "web", 1)), passes(14.2), []string{"web: 1 lost", closed}},
		{"if it cannot be reached, it may come by itself", tried, reachesNobody(12, "web", 1), nil},
		{
			"unless somebody else could not reach it either",
			then(tried, reports(11, "r", "web", 1)), reachesNobody(12, "web", 1), []string{"web: 1 unreachable"},
		},
		{"and has the same grace", then(tried, reachesNobody(12, "web", 1)), passes(61), []string{"web: 1 lost"}},
		{"a report hastens it", over, reports(1.01, "r", "web", 1), reach},
		{"who is somewhere else is not it", tried, reaches(12, two, "web", 1), []string{"close " + string(two)}},
		{
			"an association for a report before the takeover did not have the H flag, and is given up",
			then(speaks, reports(0.5, "r", "web", 1), reaches(0.6, again, "web", 1)), takesOver(1, peerA),
			[]string{"web: 1 up", closed},
		},
	}, unsecured)
}

// What an element that answers was last registered for begins anew: when that was, only its dead home knew.
func TestLifeOfTheReached(t *testing.T) {
	ours := []event{
		learns(0, peerA, "web", 1, speaksASAP, life(100)), takesOver(90, peerA), passes(100),
		reaches(110, again, "web", 1), acks(111, again, "web", 1),
	}
	probed := []string{string(again) + " <- keep-alive H=false 0x0000f00d web 1"}
	checkRules(t, []rule{
		{"its home's time is over", ours, passes(189.9), probed},
		{"it is as if it had registered at the takeover", then(ours, passes(189.9), acks(189.9, again, "web", 1)), passes(190), []string{
			"web: 1 expired", string(again) + " <- deregistration web 1",
		}},
	}, unsecured)
}

// Thousands of elements are not reached at the same time (RFC 5352 3.5: "attention not to flood the network").
func TestTakeOverIsSpread(t *testing.T) {
	w := newWorld(unsecured, func(c *asap.Config) { c.Adoption.Spread = 10 * time.Second })
	const elements = 2000
	for i := range elements {
		w.play(learns(0, peerA, "web", wire.PEID(i), speaksASAP))
	}
	w.play(takesOver(0, peerA))
	all := 0
	for tenth := range 100 {
		n := 0
		for _, a := range w.play(passes(float64(tenth+1) / 10)) {
			if _, ok := a.(asap.Reach); ok {
				n++
			}
		}
		if all += n; n > 3*elements/100 {
			t.Errorf("%d of %d are reached in a tenth of a second", n, elements)
		}
	}
	if n := w.core.Counters(); all != elements || n.Reaches != elements || n.TakenOver != elements {
		t.Errorf("%d reached (counted %d, %d taken over), want %d", all, n.Reaches, n.TakenOver, elements)
	}
}

// A registrar that did not run could not hear whom it took over: they have the same time once more.
func TestForgiveOfTheAdopted(t *testing.T) {
	w := newWorld()
	w.play(learns(0, peerA, "web", 1, life(30)))
	w.play(takesOver(0, peerA))
	w.core.Forgive(w.start.Add(100 * time.Second))
	if got := w.lines(w.play(passes(159.9))); len(got) != 0 {
		t.Errorf("before the second grace is over: %q", got)
	}
	if got := w.lines(w.play(passes(160))); len(got) != 1 || got[0] != "web: 1 lost" {
		t.Errorf("after it: %q", got)
	}
}
