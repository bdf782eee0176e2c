// SPDX-License-Identifier: Apache-2.0

package handlespace

import (
	"cmp"
	"slices"

	"github.com/weir-lb/weir/registrar/wire"
)

// Pool is a snapshot of one pool. It never changes and may be shared among goroutines.
type Pool struct {
	handle     wire.PoolHandle
	policy     wire.Policy
	protocol   wire.Protocol
	use        wire.TransportUse
	generation uint64
	elements   []*Element // by identifier; the elements are shared among snapshots and never written to
}

// Handle is the pool's name.
func (p *Pool) Handle() wire.PoolHandle { return p.handle }

// Policy is the overall policy: that of the element that founded the pool (RFC 5352 3.1 rule 1).
func (p *Pool) Policy() wire.Policy { return p.policy }

// Protocol is the overall transport type.
func (p *Pool) Protocol() wire.Protocol { return p.protocol }

// Use is the overall data and control channel configuration.
func (p *Pool) Use() wire.TransportUse { return p.use }

// Generation grows with each change of the pool. It is unique among all snapshots of a Space, so that a pool that left and
// was founded again never repeats one.
func (p *Pool) Generation() uint64 { return p.generation }

// Len is the number of elements; 0 only for a pool whose last element just left.
func (p *Pool) Len() int { return len(p.elements) }

// At is the element at index i in the order of identifiers; i must be in [0, Len()).
func (p *Pool) At(i int) Element { return *p.elements[i] }

// Elements is a new slice of all elements in the order of identifiers.
func (p *Pool) Elements() []Element {
	all := make([]Element, len(p.elements))
	for i, e := range p.elements {
		all[i] = *e
	}
	return all
}

// Find is the element with this identifier, if the pool has it.
func (p *Pool) Find(id wire.PEID) (Element, bool) {
	i, found := p.Search(id)
	if !found {
		return Element{}, false
	}
	return *p.elements[i], true
}

// Search is the index of the element with this identifier, or, if there is none, of the next higher one: Len() if none is.
func (p *Pool) Search(id wire.PEID) (index int, found bool) {
	return slices.BinarySearchFunc(p.elements, id, func(e *Element, id wire.PEID) int { return cmp.Compare(e.ID, id) })
}

// with is p with e in place of the element of the same identifier, or added.
func (p *Pool) with(e *Element) *Pool {
	i, found := p.Search(e.ID)
	next := *p
	if found {
		next.elements = slices.Clone(p.elements)
		next.elements[i] = e
		return &next
	}
	next.elements = make([]*Element, 0, len(p.elements)+1)
	next.elements = append(append(append(next.elements, p.elements[:i]...), e), p.elements[i:]...)
	return &next
}

// without is p but for the element at index i.
func (p *Pool) without(i int) *Pool {
	next := *p
	next.elements = slices.Concat(p.elements[:i], p.elements[i+1:])
	return &next
}
