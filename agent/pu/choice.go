// SPDX-License-Identifier: Apache-2.0

package pu

import (
	"math"
	"math/rand/v2"

	"github.com/weir-lb/weir/registrar/wire"
)

// choice selects by a pool's policy among the elements of one answer, as RFC
// 5356 asks a pool user to: by the order in which the registrar gave them
// (4.1.3, 5.1.3, 5.2.3, 5.3.3), by priority (4.5.3), or at random (4.3.3).
// Where elements have weights these count, since an answer usually is the whole
// pool and not the registrar's weighted choice.
type choice struct {
	policy   wire.PolicyType
	elements []wire.PoolElement
	credit   []int64 // round robin: what each is owed
}

func newChoice(p Pool) choice {
	return choice{policy: p.Policy.Type, elements: p.Elements, credit: make([]int64, len(p.Elements))}
}

// next is the index of the element to use, of those that pass; -1 if none does.
func (c *choice) next(random *rand.Rand, pass func(wire.PEID) bool) int {
	var able []int
	for i, e := range c.elements {
		if pass(e.ID) {
			able = append(able, i)
		}
	}
	if len(able) == 0 {
		return -1
	}
	switch c.policy {
	case wire.PolicyRandom, wire.PolicyWeightedRandom, wire.PolicyRandomizedLeastUsed:
		return c.draw(random, able)
	case wire.PolicyPriority:
		return c.highest(able)
	case wire.PolicyLeastUsed, wire.PolicyLeastUsedWithDegradation, wire.PolicyPriorityLeastUsed:
		return able[0]
	}
	return c.inTurn(able)
}

// inTurn is round robin that begins with the first: each gets its weight in
// credit, and who has most pays for all. With equal weights it is the list's
// order, again and again; with others it spreads the turns of the heavy ones.
func (c *choice) inTurn(able []int) int {
	var sum int64
	best := able[0]
	for _, i := range able {
		weight := c.weight(i)
		sum += weight
		c.credit[i] += weight
		if c.credit[i] > c.credit[best] {
			best = i
		}
	}
	c.credit[best] -= sum
	return best
}

// draw is an element with the chance of its weight out of all.
func (c *choice) draw(random *rand.Rand, able []int) int {
	var sum int64
	for _, i := range able {
		sum += c.weight(i)
	}
	if sum == 0 {
		return able[random.IntN(len(able))]
	}
	ticket := random.Int64N(sum)
	for _, i := range able {
		if ticket -= c.weight(i); ticket < 0 {
			return i
		}
	}
	return able[len(able)-1]
}

func (c *choice) highest(able []int) int {
	best := able[0]
	for _, i := range able {
		p, _ := c.elements[i].Policy.Priority()
		if q, _ := c.elements[best].Policy.Priority(); p > q {
			best = i
		}
	}
	return best
}

// weight is an element's share, 1 where the pool's policy knows none.
func (c *choice) weight(i int) int64 {
	p := c.elements[i].Policy
	if p.Type != c.policy {
		return 1
	}
	switch p.Type {
	case wire.PolicyWeightedRoundRobin, wire.PolicyWeightedRandom:
		weight, _ := p.Weight()
		return int64(weight)
	case wire.PolicyRandomizedLeastUsed:
		load, _ := p.Load()
		return int64(math.MaxUint32 - load)
	}
	return 1
}
