// SPDX-License-Identifier: Apache-2.0

package asap_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/wire"
)

func TestSubscription(t *testing.T) {
	asked := []event{registers(0, "a", "web", 1), subscribes(1, "r", "web")}
	changed := then(asked, registers(5, "b", "web", 2))
	gone := then(asked, deregisters(5, "a", "web", 1))
	two := "r <- resolution A=true web 2 1 round-robin" // an update takes its turn in the circle as a resolution does
	checkRules(t, []rule{
		{
			"RFC 5352 2.2.6: the A flag says that updates will come",
			asked[:1], subscribes(1, "r", "web"), []string{"r <- resolution A=true web 1 round-robin"},
		},
		{"RFC 5352 2.2.5: but not of a pool that does not exist", nil, subscribes(0, "r", "web"), []string{"r <- resolution A=false web cause 0x9"}},
		{
			"nor when it is created", []event{subscribes(0, "r", "web"), registers(1, "a", "web", 1)}, passes(4.9), nil,
		},
		{"RFC 5352 2.2.6: not without the S flag", asked, resolves(2, "r", "web"), []string{"r <- resolution A=false web 1 round-robin"}},
		{"which does not end it", then(changed[:2], resolves(2, "r", "web"), registers(3, "b", "web", 2)), passes(3.1), []string{two}},
		{"RFC 5352 2.2.5: an update when the pool changes, after a moment", changed, passes(5.1), []string{two}},
		{"in which more may change", changed, passes(5.09), nil},
		{
			"and then is one update",
			then(changed, registers(5.05, "b", "web", 3)), passes(5.1),
			[]string{"r <- resolution A=true web 2 3 1 round-robin"},
		},
		{"what changes nothing is not told", then(asked, registers(2, "a", "web", 1)), passes(4.9), nil},
		{"another pool is not told of", then(asked, registers(2, "b", "db", 1)), passes(4.9), nil},
		{
			"not more often than once in an interval",
			then(changed, passes(5.1), registers(5.2, "b", "web", 3)), passes(6.09), nil,
		},
		{
			"but then", then(changed, passes(5.1), registers(5.2, "b", "web", 3)), passes(6.1),
			[]string{"r <- resolution A=true web 3 1 2 round-robin"},
		},
		{"each session has its own", then(changed, subscribes(5.05, "s", "web")), passes(5.1), []string{"r <- resolution A=true web 1 2 round-robin"}},
		{"a session that ended is not told", then(changed, closes(5.05, "r")), passes(5.1), nil},
		{"RFC 5352 2.2.5: nor another one of the same peer", then(asked, closes(2, "r"), subscribes(2, "r.2", "web"), closes(3, "r.2")), registers(4, "b", "web", 2), []string{"web: 1 up, 2 up", "b <- registration R=0 web 2"}},
		{
			"who is away", then(asked, registers(1, "b", "web", 2), passes(3), closes(4, "b")), passes(4.9),
			[]string{"r <- resolution A=true web 1 round-robin"},
		},
		{
			"a pool in which nobody can take work still exists",
			then(asked, closes(2, "a")), passes(2.9), []string{"r <- resolution A=true web cause 0x6"},
		},
		{
			"and is told of when that is over",
			then(asked, closes(2, "a"), passes(2.9), registers(3, "a", "web", 1)), passes(3.9),
			[]string{"r <- resolution A=true web 1 round-robin"},
		},
		{
			"RFC 5352 2.2.5: a pool that is gone ends it",
			gone, passes(5.9), []string{"r <- resolution A=false web cause 0x9"},
		},
		{"also when it comes back", then(gone, passes(5.5), registers(5.6, "a", "web", 1)), passes(8), nil},
		{
			"one that is back at once was never gone",
			then(gone, registers(5.05, "b", "web", 7)), passes(5.1), []string{"r <- resolution A=true web 7 round-robin"},
		},
		{
			"rsplib's number of items holds for updates, too",
			then(changed[:1], subscribes(1, "r", "web", 1), registers(2, "b", "web", 2)), passes(2.1),
			[]string{"r <- resolution A=true web 2 round-robin"},
		},
		{
			"what another registrar tells is a change like any other",
			then(asked, learns(2, peerA, "web", 9)), passes(2.1), []string{"r <- resolution A=true web 9 1 round-robin"},
		},
		{"a peer that has proven nothing may", asked, subscribes(2, "anonymous", "web"), []string{"anonymous <- resolution A=true web 1 round-robin"}},
	}, func(c *asap.Config) { c.KeepAlive.Interval = time.Hour })
}

func TestSubscriptionsAreBounded(t *testing.T) {
	w := newWorld(func(c *asap.Config) { c.Subscriptions.PerSession, c.Subscriptions.Total = 2, 3 })
	for _, h := range []wire.PoolHandle{"web", "db"} {
		w.play(registers(0, "a", h, 1))
	}
	w.play(learns(0, peerA, "bank", 1))
	for _, step := range []struct {
		name  string
		when  event
		want  string
		total int
	}{
		{"the first", subscribes(1, "r", "web"), "A=true", 1},
		{"the second", subscribes(1, "r", "db"), "A=true", 2},
		{"the third of a session", subscribes(1, "r", "bank"), "A=false", 2},
		{"the first once more", subscribes(1, "r", "web"), "A=true", 2},
		{"the third of all", subscribes(1, "s", "web"), "A=true", 3},
		{"the fourth of all", subscribes(1, "t", "web"), "A=false", 3},
	} {
		got := strings.Join(w.lines(w.play(step.when)), "|")
		if n := w.core.Counters().Subscriptions; !strings.Contains(got, step.want) || n != step.total {
			t.Errorf("%s: %q and %d subscriptions, want %s and %d", step.name, got, n, step.want, step.total)
		}
	}
	for _, p := range []peer{"r", "s", "t"} {
		w.play(closes(2, p))
	}
	if n := w.core.Counters(); n.Subscriptions != 0 || n.Unsubscribed != 2 {
		t.Errorf("%d subscriptions are left, %d were refused; want 0, 2", n.Subscriptions, n.Unsubscribed)
	}
}

// Peers that prove nothing have a share for each network, and all together half of what there is.
func TestSubscriptionsOfTheUnproven(t *testing.T) {
	for _, test := range []struct {
		name  string
		peers []peer // who subscribe, one after the other
		want  string // who of them will get updates
	}{
		{"one address", []peer{"anonymous", "anonymous.2", "anonymous.3"}, "++-"},
		{"another has its own share", []peer{"anonymous", "anonymous.2", "anonymous.3", "anonymous@10.0.0.98"}, "++-+"},
		{"an IPv6 /64 is one", []peer{"anonymous@2001:db8::1", "anonymous@2001:db8::2", "anonymous@2001:db8::3", "anonymous@2001:db8:0:1::1"}, "++-+"},
		{"all have half", []peer{"anonymous@10.0.0.1", "anonymous@10.0.0.2", "anonymous@10.0.0.3", "anonymous@10.0.0.4", "anonymous@10.0.0.5", "r"}, "++++-+"},
		{"who proves a name has no share", []peer{"r", "r.2", "r.3", "anonymous", "anonymous.2", "anonymous.3"}, "+++++-"},
		{"those without TLS have one", []peer{"plain", "plain.2", "plain.3"}, "++-"},
		{
			"but not only half", []peer{
				"plain@10.0.0.1", "plain@10.0.0.2", "plain@10.0.0.3", "plain@10.0.0.4", "plain@10.0.0.5", "plain@10.0.0.6",
				"plain@10.0.0.7", "plain@10.0.0.8", "plain@10.0.0.9",
			}, "++++++++-",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(func(c *asap.Config) { c.Subscriptions.PerNetwork, c.Subscriptions.Total = 2, 8 })
			w.play(registers(0, "a", "web", 1))
			for round := range 2 { // what has ended is free again
				if got := w.accepted(test.peers); got != test.want {
					t.Errorf("round %d: %s, want %s", round, got, test.want)
				}
				for _, p := range test.peers {
					w.play(closes(2, p))
				}
			}
		})
	}
}

// accepted says of each who subscribes to web, + or -, whether updates will come.
func (w *world) accepted(peers []peer) (line string) {
	for _, p := range peers {
		got := w.lines(w.play(subscribes(1, p, "web")))
		switch {
		case len(got) == 1 && strings.Contains(got[0], "A=true web 1"):
			line += "+"
		case len(got) == 1 && strings.Contains(got[0], "A=false web 1"): // it is answered all the same
			line += "-"
		default:
			line += fmt.Sprint(got)
		}
	}
	return line
}

// A pool of many subscribers that changes all the time tells each at most once in an interval, few at a time, and all.
func TestUpdatesAreSpread(t *testing.T) {
	w := newWorld(func(c *asap.Config) { c.KeepAlive.Interval = time.Hour })
	w.play(registers(0, "a", "web", 1))
	const subscribers, seconds = 300, 10
	for i := range subscribers {
		w.play(subscribes(0, peer(fmt.Sprint("r.", i)), "web"))
	}
	told := map[uint64][]float64{}
	for tick := range seconds * 20 {
		at := 1 + float64(tick)/20
		w.play(registers(at, "a", "web", 1, port(uint16(tick+1))))
		n := 0
		for _, a := range w.play(passes(at)) {
			if s, ok := a.(asap.Send); ok {
				told[s.Session] = append(told[s.Session], at)
				n++
			}
		}
		if n > subscribers/10 {
			t.Errorf("%d of %d are told at once", n, subscribers)
		}
	}
	for session, times := range told {
		for i := 1; i < len(times); i++ {
			if gap := times[i] - times[i-1]; gap < 0.999 {
				t.Fatalf("%s is told after %v s", w.name(session), gap)
			}
		}
		if len(times) < seconds*8/10 {
			t.Errorf("%s is told %d times in %d s", w.name(session), len(times), seconds)
		}
	}
	updates := 0
	for _, times := range told {
		updates += len(times)
	}
	if n := w.core.Counters(); n.Updates != uint64(updates) || n.Subscriptions != subscribers {
		t.Errorf("%d updates to %d subscribers are counted, want %d to %d", n.Updates, n.Subscriptions, updates, subscribers)
	}
	if len(told) != subscribers {
		t.Errorf("%d of %d are told", len(told), subscribers)
	}
	w.play(deregisters(60, "a", "web", 1))
	for d := w.core.Deadline(); !d.IsZero(); d = w.core.Deadline() {
		w.core.Tick(d)
	}
	if n := w.core.Counters().Subscriptions; n != 0 {
		t.Errorf("%d subscriptions to a pool that is gone", n)
	}
}
