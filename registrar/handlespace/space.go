// SPDX-License-Identifier: Apache-2.0

package handlespace

import (
	"cmp"
	"iter"
	"maps"
	"slices"

	"github.com/weir-lb/weir/registrar/wire"
)

// Key names an element: its pool, and its identifier there.
type Key struct {
	Pool wire.PoolHandle
	PE   wire.PEID
}

// Space is a registrar's handlespace. It is not safe for concurrent use; its snapshots are.
type Space struct {
	pools map[wire.PoolHandle]*Pool
	// owned is each identity's elements, by its name, and the session that each belongs to.
	owned      map[string]map[Key]Identity
	elements   int
	generation uint64
}

// New makes an empty handlespace.
func New() *Space {
	return &Space{pools: map[wire.PoolHandle]*Pool{}, owned: map[string]map[Key]Identity{}}
}

// Len is the number of elements in all pools.
func (s *Space) Len() int { return s.elements }

// NumPools is the number of pools.
func (s *Space) NumPools() int { return len(s.pools) }

// Pool is the pool of this name as it is now, nil if there is none.
func (s *Space) Pool(h wire.PoolHandle) *Pool { return s.pools[h] }

// Pools are all pools as they are now, in no order. The Space may change meanwhile.
func (s *Space) Pools() iter.Seq[*Pool] { return maps.Values(maps.Clone(s.pools)) }

// NumOwned is how many elements the identity of this name owns, in all its sessions.
func (s *Space) NumOwned(name string) int { return len(s.owned[name]) }

// Owned are the elements that the identity of this name owns in all its sessions, by pool and identifier.
func (s *Space) Owned(name string) []Key {
	return slices.SortedFunc(maps.Keys(s.owned[name]), func(a, b Key) int {
		return cmp.Or(cmp.Compare(a.Pool, b.Pool), cmp.Compare(a.PE, b.PE))
	})
}

// Owners are the names of all identities that own an element, in order.
func (s *Space) Owners() []string { return slices.Sorted(maps.Keys(s.owned)) }

// Owner is whom an element belongs to, in the session that registered it last; the zero Identity if there is no such
// element.
func (s *Space) Owner(k Key) Identity {
	e, ok := s.Find(k)
	if !ok {
		return Identity{}
	}
	return s.owned[e.Identity][k]
}

// Find is the element of this name, if there is one.
func (s *Space) Find(k Key) (Element, bool) {
	p := s.pools[k.Pool]
	if p == nil {
		return Element{}, false
	}
	return p.Find(k.PE)
}

// SetState makes an element Up or Away, and returns its pool's snapshot. The element must exist.
func (s *Space) SetState(k Key, state State) *Pool {
	e, ok := s.Find(k)
	if !ok {
		panic("handlespace: state of an element that does not exist")
	}
	e.State = state
	return s.put(s.pools[k.Pool], &e)
}

// Remove takes an element out, whoever owns it, and returns it and the snapshot of its pool after that: with no elements
// if it was the last (RFC 5352 3.2: the pool is then gone). The pool is nil if there is no such element.
func (s *Space) Remove(k Key) (*Pool, Element) {
	p := s.pools[k.Pool]
	if p == nil {
		return nil, Element{}
	}
	i, found := p.Search(k.PE)
	if !found {
		return nil, Element{}
	}
	e := p.At(i)
	s.disown(k, e.Identity)
	s.elements--
	next := s.stamp(p.without(i))
	if next.Len() == 0 {
		delete(s.pools, k.Pool)
	} else {
		s.pools[k.Pool] = next
	}
	return next, e
}

// put stores e in p, which may be a snapshot that is not in the Space yet, unless p has an equal element already.
func (s *Space) put(p *Pool, e *Element) *Pool {
	i, found := p.Search(e.ID)
	if found && p.elements[i].equal(e) {
		return p
	}
	if !found {
		s.elements++
	}
	next := s.stamp(p.with(e))
	s.pools[p.handle] = next
	return next
}

func (s *Space) stamp(p *Pool) *Pool {
	s.generation++
	p.generation = s.generation
	return p
}

func (s *Space) own(k Key, by Identity) {
	if s.owned[by.Name()] == nil {
		s.owned[by.Name()] = map[Key]Identity{}
	}
	s.owned[by.Name()][k] = by
}

func (s *Space) disown(k Key, name string) {
	delete(s.owned[name], k)
	if len(s.owned[name]) == 0 {
		delete(s.owned, name)
	}
}
