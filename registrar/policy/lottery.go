// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"math"
	"math/bits"
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
// The elements are in groups of those whose weights have the same number of bits. A draw is of any of the tickets that there
// would be if each had the greatest weight of its group, again and again until one is within its element's weight: at least
// every second is, and the chances are exact. So neither a draw nor a change depends on the number of elements.
type lottery struct {
	groups [others + 1][]ticket
	some   uint32   // the groups with a weight that are not empty, as bits
	bound  uint64   // of all weights: the sum of the groups' greatest; of 2^31 elements it is at most 2^63
	places []drawer // by slot; of an element that cannot be drawn too
	drawn  []ticket // a resolution's, to be put back
	ahead  lots
}

// others is the group of those without a weight.
const others = 32

type ticket struct {
	element *handlespace.Element
	slot    uint32
	weight  uint32
}

// drawer is where an element's ticket is: the number of its group and 1, and which of the group. The ticket of an element
// that cannot be drawn is nowhere, and a free slot's drawer is zero.
type drawer struct{ group, index uint32 }

const nowhere = others + 2

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

func (l *lottery) put(e *handlespace.Element, _ bool) (added bool) {
	weight, other := chance(e.Policy)
	able := e.State == handlespace.Up && (weight > 0 || other)
	at := *seat(&l.places, e)
	if at.group > 0 && at.group != nowhere {
		if t := &l.groups[at.group-1][at.index]; able && t.weight == weight {
			t.element = e
			return false
		}
		l.leave(at)
	}
	l.places[e.Slot()] = drawer{group: nowhere}
	if able {
		l.enter(ticket{e, uint32(e.Slot()), weight})
	}
	return at.group == 0
}

func (l *lottery) remove(e *handlespace.Element) (removed bool) {
	at := *seat(&l.places, e)
	if at.group > 0 && at.group != nowhere {
		l.leave(at)
	}
	l.places[e.Slot()] = drawer{}
	return at.group > 0
}

func (l *lottery) enter(t ticket) {
	g := (bits.Len32(t.weight) + others) % (others + 1) // a weight of n bits: n-1; none: others
	l.places[t.slot] = drawer{uint32(g) + 1, uint32(len(l.groups[g]))}
	l.groups[g] = append(l.groups[g], t)
	l.weigh(g, 2<<g)
}

// leave takes the ticket there out, and puts the group's last in its place.
func (l *lottery) leave(at drawer) {
	g := at.group - 1
	tickets := l.groups[g]
	last := tickets[len(tickets)-1]
	tickets[at.index] = last
	l.places[last.slot] = at
	tickets[len(tickets)-1] = ticket{}
	l.groups[g] = tickets[:len(tickets)-1]
	l.weigh(int(g), -(uint64(2) << g))
}

// weigh adds to the bound, modulo 2^64, what one in the group more or less makes of it.
func (l *lottery) weigh(g int, greatest uint64) {
	if g == others {
		return
	}
	l.bound += greatest
	l.some &^= 1 << g
	if len(l.groups[g]) > 0 {
		l.some |= 1 << g
	}
}

func (l *lottery) choose(rnd *rand.Rand, limit int, chosen []*handlespace.Element) []*handlespace.Element {
	for len(chosen) < limit && l.bound > 0 {
		at := l.draw(rnd)
		t := l.groups[at.group-1][at.index]
		chosen = append(chosen, t.element)
		if len(chosen) < limit { // the last need not be out of the way
			l.leave(at)
			l.drawn = append(l.drawn, t)
		}
	}
	for _, t := range l.drawn {
		l.enter(t)
	}
	clear(l.drawn)
	l.drawn = l.drawn[:0]
	rest := l.groups[others]
	for i := 0; i < len(rest) && len(chosen) < limit; i++ { // Fisher-Yates, as far as needed
		j := i + int(l.lot(rnd, uint64(len(rest)-i)))
		chosen = append(chosen, rest[j].element)
		if len(chosen) < limit {
			l.swap(i, j)
		}
	}
	return chosen
}

// draw is where the ticket is that is drawn. The bound must not be 0.
func (l *lottery) draw(rnd *rand.Rand) drawer {
	for {
		at, over := l.find(l.lot(rnd, l.bound))
		if over < uint64(l.groups[at.group-1][at.index].weight) {
			return at
		}
	}
}

// find is where the ticket is that a number below the bound means, and how much more the number is than the ticket's first.
func (l *lottery) find(number uint64) (at drawer, over uint64) {
	for left := l.some; ; {
		g := bits.Len32(left) - 1
		size := uint64(len(l.groups[g])) * 2 << g
		if number < size {
			return drawer{uint32(g) + 1, uint32(number >> (g + 1))}, number & (2<<g - 1)
		}
		number -= size
		left &^= 1 << g
	}
}

// swap swaps two of the others.
func (l *lottery) swap(i, j int) {
	rest := l.groups[others]
	rest[i], rest[j] = rest[j], rest[i]
	l.places[rest[i].slot].index, l.places[rest[j].slot].index = uint32(i), uint32(j)
}

func (l *lottery) withdraw(*handlespace.Element) {}

func (l *lottery) expect(slot int) { fetch(l.places, slot) }
