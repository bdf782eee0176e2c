// SPDX-License-Identifier: Apache-2.0

package enrp_test

import (
	"testing"
	"time"
)

// TestNoGap: while registrars die and return, or do not see each other, no live element is missing for more than 3 heartbeats at a registrar that
// serves, though every registrar but one may be down at some time.
func TestNoGap(t *testing.T) {
	for _, what := range []string{"deaths", "partitions"} {
		t.Run(what, func(t *testing.T) { noGap(t, what) })
	}
}

func noGap(t *testing.T, what string) {
	for seed := range uint64(40) {
		n := newNetwork(seed, 3, 30)
		n.calm = true
		for _, x := range n.nodes {
			n.boot(x, false)
		}
		n.run(3 * time.Second)
		for _, e := range n.elements {
			n.register(e)
			n.mind(e)
		}
		n.run(time.Second)
		worst := n.worstGap(what == "deaths", func() {
			x, y := n.nodes[n.rnd.IntN(3)], n.nodes[n.rnd.IntN(3)]
			switch {
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

func (n *network) ready() (sum int) {
	for _, x := range n.nodes {
		if x.ready {
			sum++
		}
	}
	return sum
}

// worstGap lets something happen every 8 s or so, and gives the longest time that an element was missing: at any registrar
// that serves, or at all of them.
func (n *network) worstGap(anywhere bool, happen func()) (worst time.Duration) {
	const look = 250 * time.Millisecond
	missing := make([]time.Duration, len(n.elements))
	for range 4 * 300 {
		if n.rnd.IntN(32) == 0 {
			happen()
		}
		n.run(look)
		for i, e := range n.elements {
			if at := n.has(e); at == 0 || anywhere && at < n.ready() {
				missing[i] += look
			} else {
				missing[i] = 0
			}
			worst = max(worst, missing[i])
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
