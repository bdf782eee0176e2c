// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"math/bits"
	"slices"

	"github.com/weir-lb/weir/registrar/wire"
)

// queue is elements in order: first those of the lowest hi, of these those of the lowest lo, of these that of the lowest
// identifier. It is a list of short arrays and a list of their bounds, both searched by halves; an array that is full
// becomes two, one that is nearly empty joins its neighbour. The memory that an operation touches hardly grows with the
// number of elements, which counts more than the number of comparisons does.
type queue struct {
	chunks []*chunk
	bounds []item // nothing in chunk i is before bounds[i], but for i = 0; everything in the chunks below is
}

// item is an element in a queue.
type item struct {
	hi, lo uint64
	id     wire.PEID
	slot   uint32 // does not count for the order
}

const chunkLen = 64

type chunk struct {
	n     int
	items [chunkLen]item
}

// before is 1 or 0, and how it is found can not be mispredicted by a processor.
func (i *item) before(o *item) int {
	_, borrow := bits.Sub64(uint64(i.id), uint64(o.id), 0)
	_, borrow = bits.Sub64(i.lo, o.lo, borrow)
	_, borrow = bits.Sub64(i.hi, o.hi, borrow)
	return int(borrow)
}

// rank is how many of the items, which are in order, are before i.
func rank(items []item, i *item) int {
	at := 0
	for rest := len(items); rest > 0; {
		half := (rest + 1) / 2
		at += half & -items[at+half-1].before(i)
		rest -= half
	}
	return at
}

// place is where an item is in a queue, until the queue changes.
type place struct{ chunk, index int }

// chunkOf is the index of the chunk that i is in, or belongs into. There must be one.
func (q *queue) chunkOf(i *item) int {
	bounds := q.bounds[1:] // the first is none
	at := rank(bounds, i)
	if at < len(bounds) && i.before(&bounds[at]) == 0 {
		at++
	}
	return at
}

// seek is the place of the first item that is not before i; it may be the end.
func (q *queue) seek(i item) place {
	if len(q.chunks) == 0 {
		return place{}
	}
	c := q.chunkOf(&i)
	return q.settle(place{c, rank(q.chunks[c].items[:q.chunks[c].n], &i)})
}

// settle moves on from behind a chunk's last item.
func (q *queue) settle(p place) place {
	if p.chunk < len(q.chunks) && p.index >= q.chunks[p.chunk].n {
		return place{p.chunk + 1, 0}
	}
	return p
}

// next is the place after p.
func (q *queue) next(p place) place { return q.settle(place{p.chunk, p.index + 1}) }

// at is the item at p, nil at the end.
func (q *queue) at(p place) *item {
	if p.chunk >= len(q.chunks) {
		return nil
	}
	return &q.chunks[p.chunk].items[p.index]
}

// insert adds an item, which must not be in.
func (q *queue) insert(i item) {
	if len(q.chunks) == 0 {
		q.chunks, q.bounds = append(q.chunks, &chunk{}), append(q.bounds, i)
	}
	at := q.chunkOf(&i)
	if q.chunks[at].n == chunkLen {
		q.split(at)
		at = q.chunkOf(&i)
	}
	c := q.chunks[at]
	index := rank(c.items[:c.n], &i)
	copy(c.items[index+1:], c.items[index:c.n])
	c.items[index] = i
	c.n++
}

// split makes two of a chunk.
func (q *queue) split(at int) {
	low, high := q.chunks[at], &chunk{n: chunkLen / 2}
	copy(high.items[:], low.items[chunkLen/2:])
	low.n = chunkLen / 2
	q.chunks = slices.Insert(q.chunks, at+1, high)
	q.bounds = slices.Insert(q.bounds, at+1, high.items[0])
}

// remove takes an item out, which must be in.
func (q *queue) remove(i item) {
	at := q.chunkOf(&i)
	c := q.chunks[at]
	index := rank(c.items[:c.n], &i)
	copy(c.items[index:], c.items[index+1:c.n])
	c.n--
	switch {
	case c.n > chunkLen/4:
	case at+1 < len(q.chunks) && c.n+q.chunks[at+1].n <= chunkLen*3/4:
		q.join(at)
	case at > 0 && c.n+q.chunks[at-1].n <= chunkLen*3/4:
		q.join(at - 1)
	case c.n == 0 && len(q.chunks) == 1:
		q.chunks, q.bounds = nil, nil
	case c.n == 0:
		q.chunks, q.bounds = slices.Delete(q.chunks, at, at+1), slices.Delete(q.bounds, at, at+1)
	}
}

// join makes one of a chunk and the one after it.
func (q *queue) join(at int) {
	low, high := q.chunks[at], q.chunks[at+1]
	copy(low.items[low.n:], high.items[:high.n])
	low.n += high.n
	q.chunks, q.bounds = slices.Delete(q.chunks, at+1, at+2), slices.Delete(q.bounds, at+1, at+2)
}

// replace takes old, which must be in, out and puts i in. Often that is in the same chunk, or even in the same place.
func (q *queue) replace(old, i item) {
	if old == i {
		return
	}
	at := q.chunkOf(&old)
	if at > 0 && i.before(&q.bounds[at]) == 1 || at+1 < len(q.chunks) && i.before(&q.bounds[at+1]) == 0 {
		q.remove(old)
		q.insert(i)
		return
	}
	items := q.chunks[at].items[:q.chunks[at].n]
	from, to := rank(items, &old), rank(items, &i)
	if from < to {
		to--
		copy(items[from:to], items[from+1:to+1])
	} else {
		copy(items[to+1:from+1], items[to:from])
	}
	items[to] = i
}
