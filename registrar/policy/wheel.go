// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"container/heap"
	"math/bits"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// wheel is the circular list of RFC 5356 4.2.2 without its copies: a list as long as the sum of the weights could have 2^32
// entries for each element. In one round, which lasts from time r to r+1, an element of weight w occurs w times, in the
// middle of each w-th part: at r + (2t+1)/(2w) for its turns t = 0 … w-1. The list is all occurrences in order of time,
// then of identifier: the ratios are exact, and each element's occurrences are evenly distributed.
//
// Only each element's next occurrence is kept. A change of the pool costs O(elements) at the next resolution, a resolution
// of n elements O(n log elements).
type wheel struct {
	generation uint64       // of the pool that the entries belong to
	entries    []occurrence // a heap by time
	now        occurrence   // the last that was used; the zero value is the beginning of time
}

// occurrence is the time at which an element is in the list.
type occurrence struct {
	id     wire.PEID
	index  int // of the element in the pool
	weight uint32
	round  uint64
	turn   uint32 // below weight
}

func (w *wheel) order(p *members, limit int) []*handlespace.Element {
	if w.generation != p.generation {
		w.rebuild(p)
	}
	// The elements in order of their first occurrence are those in order of their next one.
	used := make([]occurrence, min(limit, len(w.entries)))
	order := make([]*handlespace.Element, len(used))
	for i := range used {
		used[i] = heap.Pop(w).(occurrence)
		order[i] = p.at(used[i].index)
	}
	if len(used) > 0 {
		w.now = used[0]
		used[0] = used[0].next()
	}
	for _, o := range used {
		heap.Push(w, o)
	}
	return order
}

// rebuild takes the elements of p in. Those that stay as they were keep their place, so that a pool that changes often is
// as fair as one that never does.
func (w *wheel) rebuild(p *members) {
	old := make(map[wire.PEID]occurrence, len(w.entries))
	for _, o := range w.entries {
		old[o.id] = o
	}
	w.generation, w.entries = p.generation, w.entries[:0]
	for i := range p.len() {
		e := p.at(i)
		weight := weight(p.policy, e)
		if e.State != handlespace.Up || weight == 0 {
			continue
		}
		o, stays := old[e.ID]
		if !stays || o.weight != weight {
			o = w.enter(e.ID, weight)
		}
		o.index = i
		w.entries = append(w.entries, o)
	}
	heap.Init(w)
}

// enter is the first occurrence of a new element that is not before now.
func (w *wheel) enter(id wire.PEID, weight uint32) occurrence {
	o := occurrence{id: id, weight: weight, round: w.now.round}
	if w.now.weight == 0 {
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

func (o occurrence) next() occurrence {
	o.turn++
	if o.turn == o.weight {
		o.round, o.turn = o.round+1, 0
	}
	return o
}

// compare compares the times, then the identifiers. The products need 65 bits.
func (o occurrence) compare(p occurrence) int {
	oHi, oLo := bits.Mul64(2*uint64(o.turn)+1, uint64(p.weight))
	pHi, pLo := bits.Mul64(2*uint64(p.turn)+1, uint64(o.weight))
	return cmp.Or(cmp.Compare(o.round, p.round), cmp.Compare(oHi, pHi), cmp.Compare(oLo, pLo), cmp.Compare(o.id, p.id))
}

func (w *wheel) Len() int           { return len(w.entries) }
func (w *wheel) Less(i, j int) bool { return w.entries[i].compare(w.entries[j]) < 0 }
func (w *wheel) Swap(i, j int)      { w.entries[i], w.entries[j] = w.entries[j], w.entries[i] }
func (w *wheel) Push(x any)         { w.entries = append(w.entries, x.(occurrence)) }
func (w *wheel) Pop() any {
	last := len(w.entries) - 1
	o := w.entries[last]
	w.entries = w.entries[:last]
	return o
}
