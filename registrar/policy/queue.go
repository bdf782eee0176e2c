// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"math/bits"

	"github.com/weir-lb/weir/registrar/wire"
)

// queue is elements in order: first those of the lowest hi, of these those of the lowest lo, of these that of the lowest
// identifier. It is a B+tree whose leaves are also a list; the zero queue is empty.
type queue struct {
	root  *node
	first *node // the leaf at the beginning
}

// item is an element in a queue.
type item struct {
	hi, lo uint64
	id     wire.PEID
	slot   uint32 // does not count for the order
}

// width is how much a node holds, and scarce how little makes it join a neighbour.
const (
	width  = 32
	scarce = width / 4
)

type node struct {
	n int
	// items are a leaf's. Of a branch they are bounds: nothing below child i is before items[i], but for the first child of
	// the first branch, and everything below the children before it is.
	items    [width]item
	children *[width]*node // of a branch
	next     *node         // of a leaf: the one after it
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

// branchTo is the index of the child that i is below, or belongs below.
func (n *node) branchTo(i *item) int {
	bounds := n.items[1:n.n] // what is before all is below the first
	at := rank(bounds, i)
	if at < len(bounds) && i.before(&bounds[at]) == 0 {
		at++
	}
	return at
}

// place is where an item is in a queue, until the queue changes.
type place struct {
	leaf  *node
	index int
}

// begin is the place of the first item, or the end.
func (q *queue) begin() place { return place{q.first, 0}.settle() }

// seek is the place of the first item that is not before i, or the end.
func (q *queue) seek(i item) place {
	n := q.root
	if n == nil {
		return place{}
	}
	for n.children != nil {
		n = n.children[n.branchTo(&i)]
	}
	return place{n, rank(n.items[:n.n], &i)}.settle()
}

// settle moves on from behind a leaf's last item.
func (p place) settle() place {
	for p.leaf != nil && p.index >= p.leaf.n {
		p = place{p.leaf.next, 0}
	}
	return p
}

// next is the place after p.
func (p place) next() place { return place{p.leaf, p.index + 1}.settle() }

// item is the item at p, nil at the end.
func (p place) item() *item {
	if p.leaf == nil {
		return nil
	}
	return &p.leaf.items[p.index]
}

// insert adds an item, which must not be in.
func (q *queue) insert(i item) {
	if q.root == nil {
		q.root = &node{}
		q.first = q.root
	}
	if q.root.n == width {
		q.root = &node{n: 1, children: &[width]*node{q.root}}
		q.root.split(0)
	}
	n := q.root
	for n.children != nil {
		at := n.branchTo(&i)
		if n.children[at].n == width { // no node on the way down is full, so that each has room for a half
			n.split(at)
			at = n.branchTo(&i)
		}
		n = n.children[at]
	}
	at := rank(n.items[:n.n], &i)
	copy(n.items[at+1:], n.items[at:n.n])
	n.items[at] = i
	n.n++
}

// split makes two of the full child at index at.
func (n *node) split(at int) {
	low, high := n.children[at], &node{n: width / 2}
	copy(high.items[:], low.items[width/2:])
	if low.children != nil {
		high.children = &[width]*node{}
		copy(high.children[:], low.children[width/2:])
		clear(low.children[width/2:])
	} else {
		high.next, low.next = low.next, high
	}
	low.n = width / 2
	copy(n.items[at+2:], n.items[at+1:n.n])
	copy(n.children[at+2:], n.children[at+1:n.n])
	n.items[at+1], n.children[at+1] = high.items[0], high
	n.n++
}

// remove takes an item out, which must be in.
func (q *queue) remove(i item) {
	q.root.remove(&i)
	for q.root.children != nil && q.root.n == 1 {
		q.root = q.root.children[0]
	}
}

func (n *node) remove(i *item) {
	if n.children == nil {
		at := rank(n.items[:n.n], i)
		copy(n.items[at:], n.items[at+1:n.n])
		n.n--
		return
	}
	at := n.branchTo(i)
	child := n.children[at]
	child.remove(i)
	if child.n > scarce {
		return
	}
	if at+1 < n.n && child.n+n.children[at+1].n <= width-scarce {
		n.join(at)
	} else if at > 0 && child.n+n.children[at-1].n <= width-scarce {
		n.join(at - 1)
	}
}

// join makes one of a child and the one after it. A leaf whose neighbours are full stays, though it may be empty.
func (n *node) join(at int) {
	low, high := n.children[at], n.children[at+1]
	copy(low.items[low.n:], high.items[:high.n])
	if low.children != nil {
		copy(low.children[low.n:], high.children[:high.n])
	} else {
		low.next = high.next
	}
	low.n += high.n
	copy(n.items[at+1:], n.items[at+2:n.n])
	copy(n.children[at+1:], n.children[at+2:n.n])
	n.n--
	n.children[n.n] = nil
}

// replace takes old, which must be in, out and puts i in. Often that is in the same leaf.
func (q *queue) replace(old, i item) {
	if old == i {
		return
	}
	n := q.root
	for n.children != nil {
		at := n.branchTo(&old)
		if at != n.branchTo(&i) {
			q.remove(old)
			q.insert(i)
			return
		}
		n = n.children[at]
	}
	items := n.items[:n.n]
	from, to := rank(items, &old), rank(items, &i)
	if from < to {
		to--
		copy(items[from:to], items[from+1:to+1])
	} else {
		copy(items[to+1:from+1], items[to:from])
	}
	items[to] = i
}
