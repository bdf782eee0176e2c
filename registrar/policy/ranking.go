// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"math"
	"math/rand/v2"
	"unsafe"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/prefetch"
	"github.com/weir-lb/weir/registrar/wire"
)

// ranking is the elements of a pool by a value, the lowest first: the load (RFC 5356 5.1), the load with what was selected
// since (5.2), the load after one more request (5.3), or the priority, upside down (4.5).
//
// Among elements of equal value it is round robin as in 4.1.2: each time such a group is reached, it begins with the next
// of them. For that the first of the group is marked, and the one whose mark is oldest leads next. A new one has no mark,
// and leads.
type ranking struct {
	order      tournament  // those that are up, by value, then by mark
	candidates []candidate // by slot
	marks      uint64      // how many were given
	slots      []uint32    // a resolution's
}

// candidate is an element, up or not. A free slot's is zero.
type candidate struct {
	element     *handlespace.Element
	base        uint64 // the value without the degradation counter, below 2^33
	mark        uint64 // when it was the first of its equals; 0: never
	id          wire.PEID
	degradation uint32 // what each selection adds: 0 but for least used with degradation
	counter     uint32 // RFC 5356 5.2.2: selections since the last registration; it stops at the greatest number
	up          bool
}

// item has the value, which is below 2^64: the greatest degradation times the greatest counter is 2^64 - 2^33 + 1, and the
// base of a policy that counts is a load, below 2^32.
func (c *candidate) item(slot uint32) item {
	return item{hi: c.base + uint64(c.degradation)*uint64(c.counter), lo: c.mark, id: c.id, slot: slot}
}

// baseOf is the base and the degradation of an element with policy p.
func baseOf(p wire.Policy) (base uint64, degradation uint32) {
	load, _ := p.Load()
	step, _ := p.Degradation()
	switch p.Type {
	case wire.PolicyPriority:
		priority, _ := p.Priority()
		return uint64(math.MaxUint32 - priority), 0
	case wire.PolicyPriorityLeastUsed:
		return uint64(load) + uint64(step), 0
	}
	return uint64(load), step
}

// put keeps an element's mark, and its counter unless it has just registered: RFC 5356 5.2.2 has it 0 after that.
func (r *ranking) put(e *handlespace.Element, registered bool) (added bool) {
	c := seat(&r.candidates, e)
	added = c.element == nil
	next := *c
	next.element, next.id, next.up = e, e.ID, e.State == handlespace.Up
	next.base, next.degradation = baseOf(e.Policy)
	if registered {
		next.counter = 0
	}
	r.become(uint32(e.Slot()), next)
	return added
}

func (r *ranking) remove(e *handlespace.Element) (removed bool) {
	removed = seat(&r.candidates, e).element != nil
	r.become(uint32(e.Slot()), candidate{})
	return removed
}

// become changes a candidate and its place in the order.
func (r *ranking) become(slot uint32, next candidate) {
	r.candidates[slot] = next
	i := nobody()
	if next.up {
		i = next.item(slot)
	}
	r.order.set(slot, i)
}

func (r *ranking) choose(_ *rand.Rand, limit int, chosen []*handlespace.Element) []*handlespace.Element {
	r.slots = r.order.ahead(limit, r.slots[:0])
	for _, slot := range r.slots {
		chosen = append(chosen, r.candidates[slot].element)
	}
	r.count(chosen)
	r.fetch()
	return chosen
}

// fetch has at hand who will be chosen soon.
func (r *ranking) fetch() {
	if len(r.candidates) == 0 {
		return
	}
	later, sooner := r.order.soon()
	prefetch.Of(&r.candidates[later])
	prefetch.Lines(unsafe.Pointer(r.candidates[sooner].element))
}

// count marks the first of each group of equals, and counts all.
func (r *ranking) count(chosen []*handlespace.Element) {
	last := uint64(0)
	for i, e := range chosen {
		slot := uint32(e.Slot())
		next := r.candidates[slot]
		value := next.item(slot).hi
		if i == 0 || value != last {
			r.marks++
			next.mark = r.marks
		}
		last = value
		if next.counter < math.MaxUint32 {
			next.counter++
		}
		r.become(slot, next)
	}
}

func (r *ranking) withdraw(e *handlespace.Element) {
	slot := uint32(e.Slot())
	next := r.candidates[slot]
	next.counter -= min(next.counter, 1)
	r.become(slot, next)
}

func (r *ranking) expect(slot int) {
	fetch(r.candidates, slot)
	r.order.expect(slot)
}
