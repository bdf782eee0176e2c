// SPDX-License-Identifier: Apache-2.0

package handlespace

import (
	"cmp"
	"iter"
	"slices"

	"github.com/weir-lb/weir/registrar/wire"
)

// tree is a pool's elements in the order of their identifiers.
type tree struct {
	elements []*Element
	shared   bool // with a snapshot: it is copied before the next change
}

func (t *tree) len() int { return len(t.elements) }

func (t *tree) search(id wire.PEID) (int, bool) {
	return slices.BinarySearchFunc(t.elements, id, func(e *Element, id wire.PEID) int { return cmp.Compare(e.ID, id) })
}

// find is the element with this identifier, nil if there is none.
func (t *tree) find(id wire.PEID) *Element {
	i, found := t.search(id)
	if !found {
		return nil
	}
	return t.elements[i]
}

// from are the elements with this identifier or a higher one.
func (t *tree) from(id wire.PEID) iter.Seq[*Element] {
	i, _ := t.search(id)
	return slices.Values(t.elements[i:])
}

// put adds e, or puts it in place of the element of the same identifier.
func (t *tree) put(e *Element) {
	t.own()
	i, found := t.search(e.ID)
	if found {
		t.elements[i] = e
		return
	}
	t.elements = slices.Insert(t.elements, i, e)
}

// remove takes the element with this identifier out, which must be there.
func (t *tree) remove(id wire.PEID) {
	t.own()
	i, _ := t.search(id)
	t.elements = slices.Delete(t.elements, i, i+1)
}

// snapshot is the tree as it is now, whatever happens to t.
func (t *tree) snapshot() tree {
	t.shared = true
	return *t
}

func (t *tree) own() {
	if t.shared {
		t.elements, t.shared = slices.Clone(t.elements), false
	}
}
