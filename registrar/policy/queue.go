// SPDX-License-Identifier: Apache-2.0

package policy

import "github.com/weir-lb/weir/registrar/wire"

// queue is elements in the order of their identifiers. It is a B+tree whose leaves are also a list; the zero queue is empty.
type queue struct {
	root    *node
	first   *node  // the leaf at the beginning
	changes uint64 // how often it was changed
}

// entry is an element in a queue.
type entry struct {
	id   wire.PEID
	slot uint32 // does not count for the order
}

// width is how much a node holds, and scarce how little makes it join a neighbour.
const (
	width  = 32
	scarce = width / 4
)

type node struct {
	n int
	// entries are a leaf's. Of a branch they are bounds: nothing below child i is before entries[i], but for the first child of
	// the first branch, and everything below the children before it is.
	entries  [width]entry
	children *[width]*node // of a branch
	next     *node         // of a leaf: the one after it
}

// rank is how many of the entries, which are in order, are before this identifier.
func rank(entries []entry, id wire.PEID) int {
	at := 0
	for rest := len(entries); rest > 0; {
		half := (rest + 1) / 2
		if entries[at+half-1].id < id { // without a branch, which could not be predicted
			at += half
		}
		rest -= half
	}
	return at
}

// branchTo is the index of the child that id is below, or belongs below.
func (n *node) branchTo(id wire.PEID) int {
	bounds := n.entries[1:n.n] // what is before all is below the first
	at := rank(bounds, id)
	if at < len(bounds) && bounds[at].id == id {
		at++
	}
	return at
}

// place is where an entry is in a queue, until the queue changes.
type place struct {
	leaf  *node
	index int
}

// round is p, or the beginning if p is the end.
func (q *queue) round(p place) place {
	if p.leaf == nil {
		return q.begin()
	}
	return p
}

// forth is the place n after p, round and round.
func (q *queue) forth(p place, n int) place {
	for p = q.round(p); n > 0 && p.leaf != nil; n-- {
		p = q.round(p.next())
	}
	return p
}

// begin is the place of the first entry, or the end.
func (q *queue) begin() place { return place{q.first, 0}.settle() }

// seek is the place of the first that is not before this identifier, or the end.
func (q *queue) seek(id wire.PEID) place {
	n := q.root
	if n == nil {
		return place{}
	}
	for n.children != nil {
		n = n.children[n.branchTo(id)]
	}
	return place{n, rank(n.entries[:n.n], id)}.settle()
}

// settle moves on from behind a leaf's last entry.
func (p place) settle() place {
	for p.leaf != nil && p.index >= p.leaf.n {
		p = place{p.leaf.next, 0}
	}
	return p
}

// next is the place after p.
func (p place) next() place { return place{p.leaf, p.index + 1}.settle() }

// entry is the entry at p, nil at the end.
func (p place) entry() *entry {
	if p.leaf == nil {
		return nil
	}
	return &p.leaf.entries[p.index]
}

// insert adds an entry, which must not be in.
func (q *queue) insert(i entry) {
	q.changes++
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
		at := n.branchTo(i.id)
		if n.children[at].n == width { // no node on the way down is full, so that each has room for a half
			n.split(at)
			at = n.branchTo(i.id)
		}
		n = n.children[at]
	}
	at := rank(n.entries[:n.n], i.id)
	copy(n.entries[at+1:], n.entries[at:n.n])
	n.entries[at] = i
	n.n++
}

// split makes two of the full child at index at.
func (n *node) split(at int) {
	low, high := n.children[at], &node{n: width / 2}
	copy(high.entries[:], low.entries[width/2:])
	if low.children != nil {
		high.children = &[width]*node{}
		copy(high.children[:], low.children[width/2:])
		clear(low.children[width/2:])
	} else {
		high.next, low.next = low.next, high
	}
	low.n = width / 2
	copy(n.entries[at+2:], n.entries[at+1:n.n])
	copy(n.children[at+2:], n.children[at+1:n.n])
	n.entries[at+1], n.children[at+1] = high.entries[0], high
	n.n++
}

// remove takes an entry out, which must be in.
func (q *queue) remove(id wire.PEID) {
	q.changes++
	q.root.remove(id)
	for q.root.children != nil && q.root.n == 1 {
		q.root = q.root.children[0]
	}
}

func (n *node) remove(id wire.PEID) {
	if n.children == nil {
		at := rank(n.entries[:n.n], id)
		copy(n.entries[at:], n.entries[at+1:n.n])
		n.n--
		return
	}
	at := n.branchTo(id)
	child := n.children[at]
	child.remove(id)
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
	copy(low.entries[low.n:], high.entries[:high.n])
	if low.children != nil {
		copy(low.children[low.n:], high.children[:high.n])
	} else {
		low.next = high.next
	}
	low.n += high.n
	copy(n.entries[at+1:], n.entries[at+2:n.n])
	copy(n.children[at+1:], n.children[at+2:n.n])
	n.n--
	n.children[n.n] = nil
}
