// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"slices"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// members are the elements of a pool, by identifier.
type members struct {
	policy     wire.PolicyType
	elements   []*handlespace.Element
	generation uint64 // grows with each change
}

func (m *members) len() int { return len(m.elements) }

func (m *members) at(i int) *handlespace.Element { return m.elements[i] }

func (m *members) search(id wire.PEID) (int, bool) {
	return slices.BinarySearchFunc(m.elements, id, func(e *handlespace.Element, id wire.PEID) int {
		return cmp.Compare(e.ID, id)
	})
}

func (m *members) put(e *handlespace.Element) {
	i, found := m.search(e.ID)
	if found && m.elements[i] == e {
		return
	}
	m.generation++
	if found {
		m.elements[i] = e
		return
	}
	m.elements = slices.Insert(m.elements, i, e)
}

func (m *members) remove(id wire.PEID) {
	if i, found := m.search(id); found {
		m.generation++
		m.elements = slices.Delete(m.elements, i, i+1)
	}
}
