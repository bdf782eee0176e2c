// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"container/heap"
	"math"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// ranking is the elements of a pool by a value, the lowest first: the load (RFC 5356 5.1), the load with what was selected
// since (5.2), the load after one more request (5.3), or the priority, upside down (4.5).
//
// Among elements of equal value it is round robin as in 4.1.2: each time such a group is reached, it begins with the next
// of them. For that the first of the group is marked, and the one whose mark is oldest leads next. A new one has no mark,
// and leads.
//
// A change of the pool costs O(elements) at the next resolution, a resolution of n elements O(n log elements).
type ranking struct {
	generation uint64                   // of the pool that the queue belongs to; 0: of none
	known      map[wire.PEID]*candidate // all of the pool, up or not
	queue      []*candidate             // those that are up: a heap by value
	marks      uint64                   // how many were given
}

type candidate struct {
	id          wire.PEID
	index       int    // of the element in the pool
	base        uint64 // the value without the degradation counter, below 2^33
	degradation uint32 // what each selection adds: 0 but for least used with degradation
	counter     uint32 // RFC 5356 5.2.2: selections since the last registration; it stops at the greatest number
	mark        uint64 // when it was the first of its equals; 0: never
}

// value is below 2^64: the greatest degradation times the greatest counter is 2^64 - 2^33 + 1, and the base of a policy
// that counts is a load, below 2^32.
func (c *candidate) value() uint64 { return c.base + uint64(c.degradation)*uint64(c.counter) }

// rank is the base and the degradation of an element with policy p.
func rank(p wire.Policy) (base uint64, degradation uint32) {
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

func (r *ranking) order(p *members, limit int) []*handlespace.Element {
	if r.generation != p.generation {
		r.rebuild(p)
	}
	selected := make([]*candidate, min(limit, len(r.queue)))
	order := make([]*handlespace.Element, len(selected))
	for i := range selected {
		selected[i] = heap.Pop(r).(*candidate)
		order[i] = p.at(selected[i].index)
	}
	r.count(selected)
	for _, c := range selected {
		heap.Push(r, c)
	}
	return order
}

// count marks the first of each group of equals, and counts all.
func (r *ranking) count(selected []*candidate) {
	last := uint64(math.MaxUint64)
	for i, c := range selected {
		value := c.value()
		if i == 0 || value != last {
			r.marks++
			c.mark = r.marks
		}
		last = value
		if c.counter < math.MaxUint32 {
			c.counter++
		}
	}
}

// rebuild takes the elements of p in. Those that stay keep their marks and counters.
func (r *ranking) rebuild(p *members) {
	known := make(map[wire.PEID]*candidate, p.len())
	clear(r.queue)
	r.queue = r.queue[:0]
	for i := range p.len() {
		e := p.at(i)
		c := r.known[e.ID]
		if c == nil {
			c = &candidate{id: e.ID}
		}
		known[e.ID] = c
		c.index = i
		c.base, c.degradation = rank(e.Policy)
		if e.State == handlespace.Up {
			r.queue = append(r.queue, c)
		}
	}
	r.generation, r.known = p.generation, known
	heap.Init(r)
}

// reset is RFC 5356 5.2.2: the counter is 0 after each registration.
func (r *ranking) reset(id wire.PEID) { r.recount(id, func(uint32) uint32 { return 0 }) }

func (r *ranking) withdraw(id wire.PEID) {
	r.recount(id, func(n uint32) uint32 { return n - min(n, 1) })
}

// recount changes a counter. The queue is then out of order, unless the counter weighs nothing.
func (r *ranking) recount(id wire.PEID, change func(uint32) uint32) {
	c := r.known[id]
	if c == nil {
		return
	}
	before := c.value()
	c.counter = change(c.counter)
	if c.value() != before {
		r.generation = 0
	}
}

func (r *ranking) Len() int { return len(r.queue) }
func (r *ranking) Less(i, j int) bool {
	a, b := r.queue[i], r.queue[j]
	return cmp.Or(cmp.Compare(a.value(), b.value()), cmp.Compare(a.mark, b.mark), cmp.Compare(a.id, b.id)) < 0
}
func (r *ranking) Swap(i, j int) { r.queue[i], r.queue[j] = r.queue[j], r.queue[i] }
func (r *ranking) Push(x any)    { r.queue = append(r.queue, x.(*candidate)) }
func (r *ranking) Pop() any {
	last := len(r.queue) - 1
	c := r.queue[last]
	r.queue[last] = nil
	r.queue = r.queue[:last]
	return c
}
