// SPDX-License-Identifier: Apache-2.0

package enrp_test

import (
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/enrp"
)

// TestNoGap: while registrars die and return, or do not see each other, no live element is missing for more than 3 heartbeats
// at all registrars that serve, nor at one that sees all others, though every registrar but one may be down at some time.
func TestNoGap(t *testing.T) {
	for _, what := range []string{"deaths", "partitions"} {
		t.Run(what, func(t *testing.T) { noGap(t, what) })
	}
}

func noGap(t *testing.T, what string) {
	for seed := range uint64(40) {
		n := newNetwork(seed, 3, 30)
		n.calm = true
		n.populate(len(n.elements))
		worst := n.worstGap(300*time.Second, 8*time.Second, what == "deaths", func() {
			x, y := n.nodes[n.rnd.IntN(3)], n.nodes[n.rnd.IntN(3)]
			switch {
			case what == "partitions" && n.rnd.IntN(3) == 0:
				n.register(n.elements[n.rnd.IntN(len(n.elements))])
			case what == "partitions" && n.rnd.IntN(2) == 0:
				clear(n.parted)
			case what == "partitions":
				if x != y {
					n.part(x, y)
				}
			case x.core == nil:
				n.boot(x, n.rnd.IntN(2) == 0)
			case n.ready() > 1 && x.ready:
				n.kill(x)
			}
		})
		if worst > 3*short.HeartbeatCycle {
			t.Errorf("seed %d: an element was missing for %v", seed, worst)
		}
	}
}

// quick are timers with which a heartbeat is not longer than what else takes time, and any wait shows.
var quick = enrp.Timers{
	HeartbeatCycle: time.Second, LastHeard: 2100 * time.Millisecond, NoResponse: time.Second, MentorHunt: 2 * time.Second,
	TakeoverExpiry: time.Second, Redial: 500 * time.Millisecond, Crossing: 200 * time.Millisecond,
}

// TestCommonFriend: two registrars do not see each other, take each other over, and a third sees both. It goes on to know
// every live element, also those that come and move meanwhile, and does not fetch tables again and again that it does not
// believe. Afterwards all agree soon.
func TestCommonFriend(t *testing.T) {
	for seed := range uint64(40) {
		n := newNetwork(seed, 3, 60)
		n.calm, n.timers = true, quick
		n.populate(30)
		n.part(n.nodes[0], n.nodes[1])
		worst := n.worstGap(40*time.Second, time.Second, false, func() { n.register(n.elements[n.rnd.IntN(len(n.elements))]) })
		worst = max(worst, n.worstGap(10*time.Second, time.Second, false, func() {})) // who moved is gone from where it was
		before := n.resyncs()
		worst = max(worst, n.worstGap(30*time.Second, time.Second, false, func() {}))
		if worst > 3*quick.HeartbeatCycle {
			t.Errorf("seed %d: an element was missing for %v", seed, worst)
		}
		if fetched := n.resyncs() - before; fetched > 0 {
			t.Errorf("seed %d: %d tables fetched, and nothing had changed", seed, fetched)
		}
		if taken := n.nodes[0].core.Counters().TakeoversCompleted + n.nodes[1].core.Counters().TakeoversCompleted; taken != 2 {
			t.Errorf("seed %d: %d takeovers: that proves nothing", seed, taken)
		}
		n.over = true
		clear(n.parted)
		n.run(5 * quick.HeartbeatCycle)
		if wrong := n.agree(); len(wrong) > 0 {
			t.Errorf("seed %d:\n  %s", seed, strings.Join(wrong[:min(len(wrong), 20)], "\n  "))
		}
	}
}

func (n *network) resyncs() (sum uint64) {
	for _, x := range n.nodes {
		sum += x.core.Counters().Resyncs
	}
	return sum
}

// populate starts all registrars, and some of the elements.
func (n *network) populate(elements int) {
	for _, x := range n.nodes {
		n.boot(x, false)
	}
	n.run(3 * time.Second)
	for i, e := range n.elements {
		if i < elements {
			n.register(e)
		}
		n.mind(e)
	}
	n.run(time.Second)
}

func (n *network) ready() (sum int) {
	for _, x := range n.nodes {
		if x.ready {
			sum++
		}
	}
	return sum
}

// whole says whether a registrar sees all others, and knows it.
func (n *network) whole(x *node) bool {
	for pair := range n.parted {
		if pair[0] == x.index || pair[1] == x.index {
			return false
		}
	}
	for _, l := range n.links {
		if l.dead && l.up(0) && l.up(1) && (l.end[0] == x || l.end[1] == x) {
			return false
		}
	}
	return x.ready
}

// worstGap lets something happen every now and then, and gives the longest time that an element was missing: at all registrars
// that serve, at a whole one, or anywhere at one that serves.
func (n *network) worstGap(lasting, every time.Duration, anywhere bool, happen func()) (worst time.Duration) {
	const look = 250 * time.Millisecond
	missing := map[*server]time.Duration{}
	missingAt := make([]map[*server]time.Duration, len(n.nodes))
	for i := range missingAt {
		missingAt[i] = map[*server]time.Duration{}
	}
	note := func(sums map[*server]time.Duration, e *server, absent bool) {
		sums[e] += look
		if !absent {
			sums[e] = 0
		}
		worst = max(worst, sums[e])
	}
	for range lasting / look {
		if n.rnd.IntN(int(every/look)) == 0 {
			happen()
		}
		n.run(look)
		for _, e := range n.elements {
			at := n.has(e)
			note(missing, e, e.alive && (at == 0 || anywhere && at < n.ready()))
			for i, x := range n.nodes {
				note(missingAt[i], e, e.alive && n.whole(x) && x.space.Find(e.key()) == nil)
			}
		}
	}
	return worst
}

// has is how many registrars that serve know an element.
func (n *network) has(e *server) (sum int) {
	for _, x := range n.nodes {
		if x.ready && x.space.Find(e.key()) != nil {
			sum++
		}
	}
	return sum
}
