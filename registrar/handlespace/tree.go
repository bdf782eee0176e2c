// SPDX-License-Identifier: Apache-2.0

package handlespace

import (
	"iter"

	"github.com/weir-lb/weir/registrar/wire"
)

// tree is a pool's elements in the order of their identifiers: a B+tree that is copied on write. A snapshot shares all nodes
// with it, and a change copies those between the root and one element that are still shared, 200 bytes each, five of 100,000
// elements.
type tree struct {
	root  *node // nil if there is nothing
	size  int
	epoch uint64 // grows with each snapshot: a node of this epoch is in none
}

// fanout is how much a node holds. Greater ones make a lower tree, but a change copies more: of 8, 16, 32 and 64 this is the
// fastest if each change is followed by a snapshot.
const fanout = 16

// node is a leaf, or the part of a branch that a leaf has too.
type node struct {
	epoch uint64
	n     int
	// ids are a leaf's elements', in order. Of a branch they are bounds: below child i is nothing lower than ids[i], but
	// for i = 0, nor anything that is not lower than ids[i+1].
	ids  [fanout]wire.PEID
	leaf *leaf   // what it is the beginning of: this,
	in   *branch // or this
}

type leaf struct {
	node
	elements [fanout]*Element
}

type branch struct {
	node
	children [fanout]*node
}

func newLeaf(epoch uint64) *leaf {
	l := &leaf{}
	l.leaf, l.epoch = l, epoch
	return l
}

func newBranch(epoch uint64) *branch {
	b := &branch{}
	b.in, b.epoch = b, epoch
	return b
}

func (t *tree) len() int { return t.size }

// reach is the last index whose identifier is not higher than id, or 0.
func (n *node) reach(id wire.PEID) int {
	at := 0
	for rest := n.n; rest > 1; {
		half := rest / 2
		if n.ids[(at+half)%fanout] <= id { // without a branch, which could not be predicted
			at += half
		}
		rest -= half
	}
	return at % fanout
}

// find is the element with this identifier, nil if there is none.
func (t *tree) find(id wire.PEID) *Element {
	n := t.root
	if n == nil {
		return nil
	}
	for n.in != nil {
		n = n.in.children[n.reach(id)]
	}
	if at := n.reach(id); n.n > 0 && n.ids[at] == id {
		return n.leaf.elements[at]
	}
	return nil
}

// from are the elements with this identifier or a higher one.
func (t *tree) from(id wire.PEID) iter.Seq[*Element] {
	return func(yield func(*Element) bool) {
		if t.root != nil {
			t.root.walk(id, yield)
		}
	}
}

// walk returns false when yield did.
func (n *node) walk(id wire.PEID, yield func(*Element) bool) bool {
	if n.in != nil {
		for _, child := range n.in.children[n.reach(id):n.n] {
			if !child.walk(id, yield) {
				return false
			}
		}
		return true
	}
	for i, e := range n.leaf.elements[:n.n] {
		if n.ids[i] >= id && !yield(e) {
			return false
		}
	}
	return true
}

// snapshot is the tree as it is now, whatever happens to t.
func (t *tree) snapshot() tree {
	t.epoch++
	return *t
}

// own makes n one that is in no snapshot.
func (t *tree) own(n **node) *node {
	if (*n).epoch == t.epoch {
		return *n
	}
	if (*n).in != nil {
		b := *(*n).in
		b.in, b.epoch = &b, t.epoch
		*n = &b.node
		return *n
	}
	l := *(*n).leaf
	l.leaf, l.epoch = &l, t.epoch
	*n = &l.node
	return *n
}

// put adds e, or puts it in place of the element of the same identifier.
func (t *tree) put(e *Element) {
	if t.root == nil {
		t.root = &newLeaf(t.epoch).node
	}
	if t.own(&t.root).n == fanout {
		b := newBranch(t.epoch)
		b.n, b.ids[0], b.children[0] = 1, t.root.ids[0], t.root
		t.root = &b.node
		t.split(b, 0)
	}
	n := t.root
	for n.in != nil {
		at := n.reach(e.ID)
		if t.own(&n.in.children[at]).n == fanout { // no node on the way down is full, so that each has room for a half
			t.split(n.in, at)
			at = n.reach(e.ID)
		}
		n = n.in.children[at]
	}
	if n.leaf.put(e) {
		t.size++
	}
}

// put returns false if e took another's place.
func (l *leaf) put(e *Element) bool {
	at := l.reach(e.ID)
	if at < l.n && l.ids[at] == e.ID {
		l.elements[at] = e
		return false
	}
	if at < l.n && l.ids[at] < e.ID {
		at++
	}
	copy(l.ids[at+1:], l.ids[at:l.n])
	copy(l.elements[at+1:], l.elements[at:l.n])
	l.ids[at], l.elements[at] = e.ID, e
	l.n++
	return true
}

// split moves the higher half of the full child at index at, which is in no snapshot, into a new one.
func (t *tree) split(b *branch, at int) {
	const half = fanout / 2
	low := b.children[at]
	var high *node
	if low.in != nil {
		next := newBranch(t.epoch)
		copy(next.children[:], low.in.children[half:])
		clear(low.in.children[half:])
		high = &next.node
	} else {
		next := newLeaf(t.epoch)
		copy(next.elements[:], low.leaf.elements[half:])
		clear(low.leaf.elements[half:])
		high = &next.node
	}
	copy(high.ids[:], low.ids[half:])
	low.n, high.n = half, fanout-half
	b.insert(at+1, high)
}

func (b *branch) insert(at int, child *node) {
	copy(b.ids[at+1:], b.ids[at:b.n])
	copy(b.children[at+1:], b.children[at:b.n])
	b.ids[at], b.children[at] = child.ids[0], child
	b.n++
}

func (b *branch) delete(at int) {
	copy(b.ids[at:], b.ids[at+1:b.n])
	copy(b.children[at:], b.children[at+1:b.n])
	b.n--
	b.children[b.n] = nil
}

// remove takes the element with this identifier out, which must be there.
func (t *tree) remove(id wire.PEID) {
	t.size--
	t.own(&t.root)
	t.removeBelow(t.root, id)
	for t.root.in != nil && t.root.n == 1 {
		t.root = t.root.in.children[0]
	}
	if t.size == 0 {
		t.root = nil
	}
}

func (t *tree) removeBelow(n *node, id wire.PEID) {
	at := n.reach(id)
	if n.in == nil {
		n.leaf.delete(at)
		return
	}
	child := t.own(&n.in.children[at])
	t.removeBelow(child, id)
	if child.n > fanout/4 {
		return
	}
	// A node that is nearly empty joins a neighbour if there is room, so that a tree that shrank is small again.
	switch {
	case at+1 < n.n && child.n+n.in.children[at+1].n <= fanout:
		t.join(n.in, at)
	case at > 0 && child.n+n.in.children[at-1].n <= fanout:
		t.own(&n.in.children[at-1])
		t.join(n.in, at-1)
	case child.n == 0:
		n.in.delete(at)
	}
}

func (l *leaf) delete(at int) {
	copy(l.ids[at:], l.ids[at+1:l.n])
	copy(l.elements[at:], l.elements[at+1:l.n])
	l.n--
	l.elements[l.n] = nil
}

// join moves what the child after index at has into that at index at, which is in no snapshot.
func (t *tree) join(b *branch, at int) {
	low, high := b.children[at], b.children[at+1]
	copy(low.ids[low.n:], high.ids[:high.n])
	if low.in != nil {
		if high.n > 0 {
			low.ids[low.n] = b.ids[at+1] // the first bound was not one
		}
		copy(low.in.children[low.n:], high.in.children[:high.n])
	} else {
		copy(low.leaf.elements[low.n:], high.leaf.elements[:high.n])
	}
	low.n += high.n
	b.delete(at + 1)
}
