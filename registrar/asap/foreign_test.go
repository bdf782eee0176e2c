// SPDX-License-Identifier: Apache-2.0

package asap_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

const (
	peerA = wire.ServerID(0xaaaa)
	peerB = wire.ServerID(0xbbbb)
)

func TestLearn(t *testing.T) {
	ours := []event{registers(0, "a", "web", 1)}
	theirs := []event{learns(0, peerA, "web", 1)}
	checkRules(t, []rule{
		{"RFC 5353 3.3.1: a new pool with its first element", nil, learns(0, peerA, "web", 1), []string{"web: 1 up"}},
		{"RFC 5353 3.3.1: a further element", ours, learns(1, peerA, "web", 2), []string{"web: 1 up, 2 up"}},
		{"RFC 5353 3.3.1: new attributes", theirs, learns(1, peerA, "web", 1, port(81)), []string{"web: 1 up"}},
		{"the same again is nothing to see", theirs, learns(1, peerA, "web", 1), nil},
		{"it is resolved like ours", theirs, resolves(1, "r", "web"), []string{"r <- resolution A=false web 1 round-robin"}},
		{"RFC 5352 3.1 rule 2: a policy other than the pool's", ours, learns(1, peerA, "web", 2, wrr(1)), nil},
		{"nobody else knows better of ours", ours, learns(1, server, "web", 1, port(81)), nil},
		{"no home", nil, learns(1, 0, "web", 1), nil},
		{"no life", nil, learns(1, peerA, "web", 1, life(0)), nil},
		{
			"a policy that we would refuse, chosen in turn",
			[]event{learns(0, peerA, "web", 1, private), learns(0, peerA, "web", 2, private), resolves(0, "r", "web")},
			resolves(1, "r", "web"),
			[]string{"r <- resolution A=false web 2 1 0xb0002002"},
		},
		{"an element that is up elsewhere is not probed", theirs, passes(1000), nil},
		{"an element moves to another home", theirs, learns(1, peerB, "web", 1), []string{"web: 1 up"}},
		{
			"one of ours moves to another home: its session stays",
			ours, learns(1, peerA, "web", 1), []string{"web: 1 up"},
		},
		{"and is not probed any more", then(ours, learns(1, peerA, "web", 1)), passes(1000), nil},
		{"nor lost with its session", then(ours, learns(1, peerA, "web", 1)), closes(2, "a"), nil},
		{
			"even if it was just being probed",
			then(ours, reports(1, "r", "web", 1), learns(2, peerA, "web", 1)), passes(10), nil,
		},
		{
			"whoever is away comes back with it",
			then(ours, closes(1, "a"), learns(2, peerA, "web", 1)), passes(10), nil,
		},
		{
			"RFC 5352 3.1 rule 4: an element moves to us by registering",
			theirs, registers(1, "a", "web", 1), []string{"web: 1 up", "a <- registration R=0 web 1"},
		},
		{
			"threats 2.4.3: if it may", theirs, registers(1, "r", "web", 1),
			[]string{"r <- registration R=1 web 1 cause 0xa"},
		},
		{
			"and then is probed as any other",
			then(theirs, registers(1, "a", "web", 1)), passes(16), []string{probe1},
		},
	})
}

func TestForget(t *testing.T) {
	theirs := []event{learns(0, peerA, "web", 1), learns(0, peerA, "web", 2)}
	checkRules(t, []rule{
		{"RFC 5353 3.3.2: the element leaves", theirs, forgets(1, peerA, "web", 1), []string{"web: 2 up, 1 forgotten"}},
		{
			"RFC 5353 3.3.2: the last one takes the pool with it",
			theirs[:1], forgets(1, peerA, "web", 1), []string{"web: 1 forgotten"},
		},
		{"RFC 5353 3.3.2: an unknown one is no news", theirs, forgets(1, peerA, "web", 3), nil},
		{
			"RFC 5353 3.5.2: who took its home over says so, too", theirs, forgets(1, peerB, "web", 1),
			[]string{"web: 2 up, 1 forgotten"},
		},
		{
			"late news of an element that moved to us",
			then(theirs, registers(1, "a", "web", 1)), forgets(2, peerA, "web", 1), nil,
		},
		{"ours is not forgotten", []event{registers(0, "a", "web", 1)}, forgets(1, server, "web", 1), nil},
	})
}

func TestForeignLife(t *testing.T) {
	short := []event{learns(0, peerA, "web", 1, life(4))}
	checkRules(t, []rule{
		{
			"its home may be dead: it stays until it would be taken over, and would have shown itself, and a grace",
			short, passes(4 + 20 + 60 + 1.9), nil,
		},
		{"and no longer", short, passes(4 + 20 + 60 + 2), []string{"web: 1 expired"}},
		{"its home renews it", then(short, learns(80, peerA, "web", 1, life(4))), passes(80 + 85.9), nil},
		{"who took its home over renews it", then(short, learns(80, peerB, "web", 1, life(4))), passes(80 + 85.9), nil},
		{"its home ends it at once", short, forgets(1, peerA, "web", 1), []string{"web: 1 forgotten"}},
		{"for ever", []event{learns(0, peerA, "web", 1)}, passes(1e9), nil},
		{"rsplib's milliseconds, the most there are", []event{learns(0, peerA, "web", 1, life(math.MaxInt32))}, passes(1e9), nil},
	}, func(c *asap.Config) { c.Adoption.Notice = 20 * time.Second })
	w := newWorld(func(c *asap.Config) { c.Grace = math.MaxInt64 })
	w.play(learns(0, peerA, "web", 1, life(math.MaxInt32)))
	if d := w.core.Deadline(); d.Before(w.start.Add(math.MaxInt64 - 1)) {
		t.Errorf("the longest life and the longest grace end at %v", d)
	}
}

// RFC 5352 3.5 for an element whose home is another registrar: we have no session with it, but may get one.
func TestForeignIsReported(t *testing.T) {
	theirs := []event{learns(0, peerA, "web", 1, speaksASAP)}
	reach := []string{"reach web 1 at [10.0.0.1] port 5000"}
	tried := then(theirs, reports(1, "r", "web", 1))
	asked := then(tried, reaches(1.1, again, "web", 1))
	stays := then(asked, acks(1.2, again, "web", 1))
	three := then(tried, reports(1, "s", "web", 1), reports(1, "t", "web", 1))
	closed := "close " + string(again)
	welcome := func(p peer) string { return string(p) + " <- registration R=0 web 1" }
	checkRules(t, []rule{
		{"it is reached at its ASAP transport", theirs, reports(1, "r", "web", 1), reach},
		{"once at a time", tried, reports(20, "s", "web", 1), nil},
		{"and asked, with the H flag 0", tried, reaches(1.1, again, "web", 1), []string{string(again) + " <- keep-alive H=false 0x0000f00d web 1"}},
		{"if it answers, that was all", asked, acks(1.2, again, "web", 1), []string{closed}},
		{"and it stays", stays, passes(100), nil},
		{"a repeated report does not reach it at once", stays, reports(1.5, "r", "web", 1), nil},
		{"another's does", stays, reports(1.5, "s", "web", 1), reach},
		{"if it does not answer, it is removed", asked, passes(4.2), []string{"web: 1 lost", closed}},
		{"if it cannot be reached, it is removed", tried, reachesNobody(1.1, "web", 1), []string{"web: 1 unreachable"}},
		{
			"its home's news meanwhile change nothing about that",
			then(asked, learns(2, peerA, "web", 1)), passes(4.2), []string{"web: 1 lost", closed},
		},
		{"who is somewhere else is not asked", tried, reaches(1.1, two, "web", 1), []string{"close " + string(two)}},
		{"more than MAX-BAD-PE-REPORT remove it", three, reports(1, "b", "web", 1), []string{"web: 1 unreachable"}},
		{"an association to what is gone is closed", nil, reaches(1, again, "web", 1), []string{closed}},
		{
			"so is one to an element that registered meanwhile",
			then(tried, registers(1.1, one, "web", 1)), reaches(1.2, again, "web", 1), []string{closed},
		},
		{
			"and one that is being used when it registers",
			asked, registers(1.2, one, "web", 1), []string{"web: 1 up", welcome(one), closed},
		},
		{"but not if it registers over that", asked, registers(1.2, again, "web", 1), []string{"web: 1 up", welcome(again)}},
		{"one without an ASAP transport cannot be asked", []event{learns(0, peerA, "web", 1)}, reports(1, "r", "web", 1), nil},
	}, unsecured)
	checkRules(t, []rule{
		{"threats 2.2.3: a secured registrar reaches nobody without TLS", theirs, reports(1, "r", "web", 1), nil},
		{"but counts", three, reports(1, "b", "web", 1), []string{"web: 1 unreachable"}},
		{"who has proven nothing does not count: a few addresses would take it away", three, reports(1, "anonymous", "web", 1), nil},
		{
			"not even among others",
			then(theirs, reports(1, "anonymous", "web", 1), reports(1, "r", "web", 1), reports(1, "s", "web", 1)),
			reports(1, "t", "web", 1), nil,
		},
		{"and believes no association", tried, reaches(1.1, again, "web", 1), []string{closed}},
	})
}

// What the other registrars have to be told: RFC 5352 3.1, 3.2 and RFC 5353 3.3.
func TestUpdated(t *testing.T) {
	add, del := "ADD_PE web 1 home 0x0000f00d life -1", "DEL_PE web 1 home 0x0000f00d life -1"
	ours := []event{registers(0, "a", "web", 1)}
	theirs := []event{learns(0, peerA, "web", 1)}
	for _, r := range []rule{
		{"a registration", nil, registers(0, "a", "web", 1), []string{add}},
		{"a re-registration, even of the same: it begins a new life", ours, registers(1, "a", "web", 1), []string{add}},
		{"a registration that is refused", nil, registers(0, "r", "web", 1), nil},
		{"an element that moved to us", theirs, registers(1, "a", "web", 1), []string{add}},
		{"a deregistration", ours, deregisters(1, "a", "web", 1), []string{del}},
		{"a deregistration that is refused", ours, deregisters(1, "b", "web", 1), nil},
		{"a deregistration of what is not there", ours, deregisters(1, "a", "web", 2), nil},
		{"a deregistration of another registrar's: ours first, then gone", theirs, deregisters(1, "a", "web", 1), []string{add, del}},
		{"a deregistration of another registrar's by who may not", theirs, deregisters(1, "r", "web", 1), nil},
		{"an element that is away is still there", ours, closes(1, "a"), nil},
		{"an element that is lost", then(ours, closes(1, "a")), passes(3), []string{del}},
		{"an element that did not answer", then(ours, reports(1, "r", "web", 1)), passes(4), []string{del}},
		{
			"an element that expired", []event{registers(0, "a", "web", 1, life(4))}, passes(4),
			[]string{"DEL_PE web 1 home 0x0000f00d life 4"},
		},
		{"an element whose grant is gone", ours, grantsBecome(1), []string{del}},
		{"what another registrar told us, it tells all", nil, learns(0, peerA, "web", 1), nil},
		{"also that one of ours moved to it", ours, learns(1, peerA, "web", 1), nil},
		{"also that one left", theirs, forgets(1, peerA, "web", 1), nil},
		{"one of another registrar that we lost sight of", []event{learns(0, peerA, "web", 1, life(1))}, passes(300), nil},
		{"a takeover is told as such", theirs, takesOver(1, peerA), nil},
		{"what became ours by it and is lost is ours to tell", then(theirs, takesOver(1, peerA)), passes(61), []string{del}},
	} {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld()
			for _, e := range r.given {
				w.play(e)
			}
			if got := updates(w.play(r.when)); !slices.Equal(got, r.want) {
				t.Errorf("got %q, want %q", got, r.want)
			}
		})
	}
}

func TestForeignIsBounded(t *testing.T) {
	w := newWorld(func(c *asap.Config) { c.MaxElements = 3 })
	for id := range wire.PEID(5) {
		w.play(learns(0, peerA, "web", id))
	}
	many := make([]string, 65)
	for i := range many {
		many[i] = fmt.Sprintf("10.0.0.%d", i)
	}
	w.play(learns(0, peerA, "web", 1, addrs(many...)))
	w.play(learns(0, peerA, "web", 1, policed(wire.Policy{Type: wire.PolicyRoundRobin, Data: make([]byte, 65)})))
	n := w.core.Counters()
	if n.Elements != 3 || n.Foreign != 3 || n.Learned != 3 || n.Unlearned != 4 {
		t.Errorf("%d elements, %d foreign, %d learned, %d not; want 3, 3, 3, 4", n.Elements, n.Foreign, n.Learned, n.Unlearned)
	}
	r, ok := w.play(learns(0, peerA, "web", 9))[0].(asap.Refused)
	if !ok || !r.By.IsZero() || r.Key != (handlespace.Key{Pool: "web", PE: 9}) || r.Err.Cause != wire.CauseLackOfResources {
		t.Errorf("refused %+v", r)
	}
}
