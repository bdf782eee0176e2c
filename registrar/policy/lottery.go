// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"math"
	"math/rand/v2"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// lottery draws elements without putting them back: each time one of those that are left has the chance of its weight out
// of the sum of theirs (RFC 5356 4.4.2, 5.4.2).
//
// When no weight is left, the others follow in an order where each has the same chance. In a random pool (4.3) they are
// all; in a randomized least used pool they are the fully loaded ones, whose chance of 0 out of 0 the RFC leaves open once
// nobody else is left; in a weighted random pool there are none, for a weight of 0 is not capable of any service (3.2).
//
// A change of the pool costs O(elements) at the next resolution, a resolution of n elements O(n log elements).
type lottery struct {
	generation uint64 // of the pool that the rest belongs to
	// sums is a binary tree in an array, node n above nodes 2n and 2n+1: the last half are the weights of the pool's
	// elements, each other node is the sum of the two below it, and node 1 is the sum of all. Of 2^31 elements it is below
	// 2^63.
	sums   []uint64
	others []int // indices in the pool, in any order
}

// chance is an element's weight, and whether it may be drawn without any.
func chance(p wire.Policy) (weight uint32, other bool) {
	switch p.Type {
	case wire.PolicyWeightedRandom:
		weight, _ = p.Weight()
		return weight, false
	case wire.PolicyRandomizedLeastUsed:
		load, _ := p.Load()
		return math.MaxUint32 - load, true
	}
	return 0, true
}

func (l *lottery) order(p *members, rnd *rand.Rand, limit int) []*handlespace.Element {
	if l.generation != p.generation {
		l.rebuild(p)
	}
	order := make([]*handlespace.Element, 0, min(limit, p.len()))
	for _, i := range l.draw(rnd, limit) {
		order = append(order, p.at(i))
	}
	for i := 0; i < len(l.others) && len(order) < limit; i++ { // Fisher-Yates, as far as needed
		j := i + rnd.IntN(len(l.others)-i)
		l.others[i], l.others[j] = l.others[j], l.others[i]
		order = append(order, p.at(l.others[i]))
	}
	return order
}

// draw is up to limit elements with weights, by index. Afterwards all are back in.
func (l *lottery) draw(rnd *rand.Rand, limit int) []int {
	var drawn []int
	var weights []uint64
	for len(drawn) < limit && l.sums[1] > 0 {
		i := l.find(rnd.Uint64N(l.sums[1]))
		weight := l.sums[len(l.sums)/2+i]
		drawn, weights = append(drawn, i), append(weights, weight)
		l.add(i, -weight)
	}
	for n, i := range drawn {
		l.add(i, weights[n])
	}
	return drawn
}

// find is the element that has this ticket, if each has as many in a row as its weight. The ticket is below the sum.
func (l *lottery) find(ticket uint64) int {
	n := 1
	for n < len(l.sums)/2 {
		n *= 2
		if ticket >= l.sums[n] {
			ticket -= l.sums[n]
			n++
		}
	}
	return n - len(l.sums)/2
}

// add adds to an element's weight, modulo 2^64: the negative of its weight takes it out.
func (l *lottery) add(i int, weight uint64) {
	for n := len(l.sums)/2 + i; n > 0; n /= 2 {
		l.sums[n] += weight
	}
}

func (l *lottery) rebuild(p *members) {
	l.generation, l.sums, l.others = p.generation, make([]uint64, 2*p.len()), l.others[:0]
	for i := range p.len() {
		e := p.at(i)
		weight, other := chance(e.Policy)
		switch {
		case e.State != handlespace.Up:
		case weight > 0:
			l.sums[p.len()+i] = uint64(weight)
		case other:
			l.others = append(l.others, i)
		}
	}
	for n := p.len() - 1; n > 0; n-- {
		l.sums[n] = l.sums[2*n] + l.sums[2*n+1]
	}
}
