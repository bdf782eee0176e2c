// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"math/bits"
	"math/rand/v2"
	"unsafe"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/prefetch"
	"github.com/weir-lb/weir/registrar/wire"
)

// wheel is the circular list of RFC 5356 4.2.2 without its copies: a list as long as the sum of the weights could have 2^32
// entries for each element. In one round, which lasts from time r to r+1, an element of weight w occurs w times, in the
// middle of each w-th part: at r + (2t+1)/(2w) for its turns t = 0 … w-1. The list is all occurrences in order of time,
// then of identifier: the ratios are exact, and each element's occurrences are evenly distributed.
//
// Only each element's next occurrence is kept, and those that stay as they are keep it, so that a pool that changes often is
// as fair as one that never does.
type wheel struct {
	order tournament  // of the next occurrences, by time
	next  []wheelSeat // by slot
	now   occurrence  // the last that was used; the zero value is the beginning of time
	slots []uint32    // a resolution's
}

type wheelSeat struct {
	element    *handlespace.Element // nil: free
	occurrence                      // of weight 0: not in
}

// occurrence is the time at which an element is in the list.
type occurrence struct {
	weight uint32
	turn   uint32 // below weight
	round  uint64
}

func (w *wheel) put(e *handlespace.Element, _ bool) (added bool) {
	m := seat(&w.next, e)
	added, m.element = m.element == nil, e
	weight := weight(wire.PolicyWeightedRoundRobin, e)
	if e.State != handlespace.Up {
		weight = 0
	}
	if m.weight != weight {
		m.occurrence = w.enter(weight)
		w.order.set(uint32(e.Slot()), m.item())
	}
	return added
}

func (w *wheel) remove(e *handlespace.Element) (removed bool) {
	m := seat(&w.next, e)
	removed = m.element != nil
	*m = wheelSeat{}
	w.order.set(uint32(e.Slot()), nobody())
	return removed
}

// choose: the elements in order of their first occurrence are those in order of their next one.
func (w *wheel) choose(_ *rand.Rand, limit int, chosen []*handlespace.Element) []*handlespace.Element {
	w.slots = w.order.ahead(limit, w.slots[:0])
	for _, slot := range w.slots {
		chosen = append(chosen, w.next[slot].element)
	}
	if len(w.slots) > 0 {
		first := w.slots[0]
		m := &w.next[first]
		w.now = m.occurrence
		m.advance()
		w.order.set(first, m.item())
		later, sooner := w.order.soon()
		prefetch.Of(&w.next[later])
		prefetch.Lines(unsafe.Pointer(w.next[sooner].element))
	}
	return chosen
}

func (w *wheel) withdraw(*handlespace.Element) {}

func (w *wheel) expect(slot int) {
	fetch(w.next, slot)
	w.order.expect(slot)
}

// enter is the first occurrence of a new element that is not before now.
func (w *wheel) enter(weight uint32) occurrence {
	o := occurrence{weight: weight, round: w.now.round}
	if w.now.weight == 0 || weight == 0 {
		return o
	}
	// The smallest t with (2t+1)/(2 weight) >= (2 now.turn + 1)/(2 now.weight).
	by := 2 * uint64(w.now.weight)
	hi, lo := bits.Mul64(2*uint64(w.now.turn)+1, uint64(weight))
	lo, carry := bits.Add64(lo, uint64(w.now.weight)-1, 0) // - now.weight, and + by-1 to round up
	turn, _ := bits.Div64(hi+carry, lo, by)
	if turn >= uint64(weight) {
		o.round++
		return o
	}
	o.turn = uint32(turn)
	return o
}

func (o *occurrence) advance() {
	o.turn++
	if o.turn == o.weight {
		o.round, o.turn = o.round+1, 0
	}
}

// item is nobody if it is not in. It has the time in units of 2^-65, rounded down: fractions of denominators below 2^33 that differ, differ by more.
func (m *wheelSeat) item() item {
	if m.weight == 0 {
		return nobody()
	}
	odd, weight := 2*uint64(m.turn)+1, uint64(m.weight)
	lo, _ := bits.Div64(odd%weight, 0, weight)
	return item{hi: m.round<<1 | odd/weight, lo: lo, id: m.element.ID, slot: uint32(m.element.Slot())}
}
