// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"math/bits"
	"net/netip"
	"slices"
)

// A selection table has SelectionSlots slots unless a service asks for another number.
const (
	SelectionSlots = 65537
	MinSlots       = 251
	MaxSlots       = 1 << 20
)

// candidate is an element that takes new flows, as the table's builder sees it.
type candidate struct {
	row    uint16 // index of its row in the elements map, what the slots hold
	pe     uint32
	addr   netip.AddrPort
	weight uint32
}

// byElement orders candidates by what they are, and not by who numbered their rows.
func byElement(a, b candidate) int {
	return cmp.Or(a.addr.Compare(b.addr), cmp.Compare(a.pe, b.pe))
}

// asker is a candidate while a table is filled. All its randomness is of the element itself, and all
// arithmetic is of integers, so that gateways with the same elements agree on every machine.
type asker struct {
	candidate
	id     uint64 // a hash of what it is
	luck   uint64 // another one
	load   int    // slots that it has
	target int    // slots that it shall have
}

func newAsker(c candidate) asker {
	h := fnv.New128a()
	ip := c.addr.Addr().As16()
	h.Write(ip[:])
	_ = binary.Write(h, binary.BigEndian, []uint32{uint32(c.addr.Port()), c.pe})
	sum := h.Sum(nil)
	return asker{candidate: c, id: mix(binary.BigEndian.Uint64(sum)), luck: mix(binary.BigEndian.Uint64(sum[8:]))}
}

// mix is the finaliser of MurmurHash3, a bijection.
func mix(k uint64) uint64 {
	k = (k ^ k>>33) * 0xff51afd7ed558ccd
	k = (k ^ k>>33) * 0xc4ceb9fe1a85ec53
	return k ^ k>>33
}

const (
	nobody  = 1<<64 - 1
	horizon = 1 << 47 // the end of the time in which slots are asked for
	asks    = 5       // how often a slot is asked for in that time, on average
	golden  = 0x9e3779b97f4a7c15
)

// tableBuilder fills selection tables; its memory is used again for the next one.
//
// Each element asks for slots in an order of its own, as often as its weight says. A slot belongs to
// who asks for it first: so far that is rendezvous hashing, and an element that comes or goes moves its
// own slots only, but its share is left to chance. So elements with too many slots then give up those
// that they got last, and each of these goes to an element with too few, again by rendezvous.
type tableBuilder struct {
	askers []asker
	first  []uint64 // of each slot: when it was asked for first, and in the lower 16 bits by whom
	odds   []uint64 // of each asker, of getting a slot that is drawn for
}

// fill gives each slot of table a candidate's row; without any weight all slots are 0. The order of the
// candidates does not matter.
func (b *tableBuilder) fill(table []uint16, candidates []candidate) {
	clear(table)
	b.askers = b.askers[:0]
	total := uint64(0) // below 2^48: 2^16 rows of 32 bits
	for _, c := range slices.SortedFunc(slices.Values(candidates), byElement) {
		if c.weight > 0 {
			b.askers = append(b.askers, newAsker(c))
			total += uint64(c.weight)
		}
	}
	if total == 0 {
		return
	}
	b.first = slices.Grow(b.first[:0], len(table))[:len(table)]
	b.ask(total)
	b.askForRest()
	b.aim(total)
	b.place(b.giveUp())
	for slot, first := range b.first {
		table[slot] = b.askers[uint16(first)].row
	}
}

// ask lets everyone ask for slots until the horizon: for each number of the element's, two.
func (b *tableBuilder) ask(total uint64) {
	for i := range b.first {
		b.first[i] = nobody
	}
	first, slots := b.first, uint64(len(b.first))
	for i := range b.askers {
		a := &b.askers[i]
		high, low := bits.Mul64(horizon, total)
		rate := asks * slots * uint64(a.weight)
		step := uint64(nobody)
		if high < rate {
			step, _ = bits.Div64(high, low, rate)
		}
		if step > 2*horizon { // its share is less than a tenth of a slot
			continue
		}
		at, _ := bits.Mul64(a.luck, step)
		for state := a.id; at < horizon; at += step {
			state += golden
			two := mix(state)
			one, other := two>>32*slots>>32, two&(1<<32-1)*slots>>32
			first[one] = min(first[one], at<<16|uint64(i))
			if at += step; at < horizon {
				first[other] = min(first[other], at<<16|uint64(i))
			}
		}
	}
}

// askForRest gives the few slots that nobody asked for to somebody, and counts what everyone has.
func (b *tableBuilder) askForRest() {
	b.odds = b.odds[:0]
	for i := range b.askers {
		b.odds = append(b.odds, uint64(b.askers[i].weight))
	}
	for slot := range b.first {
		if b.first[slot] == nobody {
			best, _ := b.rendezvous(slot, 0)
			b.first[slot] = (horizon+uint64(slot))<<16 | uint64(best)
		}
		b.askers[uint16(b.first[slot])].load++
	}
}

// rendezvous is who of the askers gets the slot, each with a chance in proportion to its odds, and the
// number by which it got it: the less, the better. Another round is another draw.
func (b *tableBuilder) rendezvous(slot, round int) (best int, drawn uint64) {
	place := mix(uint64(slot)<<16 | uint64(round) + 1)
	bestOdds := uint64(0)
	for i, odds := range b.odds {
		if odds == 0 {
			continue
		}
		// An exponentially distributed number over the odds: its minimum is at each in proportion.
		if draw := exponential(mix(place ^ b.askers[i].id)); bestOdds == 0 || draw*bestOdds < drawn*odds {
			best, drawn, bestOdds = i, draw, odds
		}
	}
	return best, drawn
}

// exponential makes an exponentially distributed number of a uniform one: -log2(h/2^64), in units of
// 2^-24, with the logarithm between two powers of two as a parabola (right to 0.01).
func exponential(h uint64) uint64 {
	zeros := bits.LeadingZeros64(h | 1)
	f := h << zeros << 1 >> 40
	return uint64(zeros+1)<<24 - (f + f*(1<<24-f)>>24*11/32)
}
