// SPDX-License-Identifier: Apache-2.0

package handlespace

import (
	"cmp"
	"maps"
	"slices"
)

// owner is all elements of the identities of one name.
type owner struct{ elements []owned }

// owned is where an element is seated.
type owned struct {
	pool *pool
	slot uint32
}

// NumOwned is how many elements the identity of this name owns, in all its sessions.
func (s *Space) NumOwned(name string) int {
	o := s.owners[name]
	if o == nil {
		return 0
	}
	return len(o.elements)
}

// Owned are the elements that the identity of this name owns in all its sessions, by pool and identifier.
func (s *Space) Owned(name string) []Key {
	o := s.owners[name]
	if o == nil {
		return nil
	}
	keys := make([]Key, len(o.elements))
	for i, e := range o.elements {
		keys[i] = Key{e.pool.handle, e.pool.seats[e.slot].element.ID}
	}
	slices.SortFunc(keys, Key.compare)
	return keys
}

func (k Key) compare(o Key) int { return cmp.Or(cmp.Compare(k.Pool, o.Pool), cmp.Compare(k.PE, o.PE)) }

// Owners are the names of all identities that own an element, in order.
func (s *Space) Owners() []string { return slices.Sorted(maps.Keys(s.owners)) }

// Owner is whom an element belongs to, in the session that registered it last; the zero Identity if there is no such
// element, or nobody owns it here.
func (s *Space) Owner(k Key) Identity {
	e := s.Find(k)
	if e == nil {
		return Identity{}
	}
	return s.pools[k.Pool].seats[e.slot].by
}

// own gives the element in this slot to by.
func (s *Space) own(p *pool, slot uint32, by Identity) {
	o := s.owners[by.Name()]
	if o == nil {
		o = &owner{}
		s.owners[by.Name()] = o
	}
	p.seats[slot].by, p.seats[slot].place = by, len(o.elements)
	o.elements = append(o.elements, owned{p, slot})
}

// disown takes an element from its owner, if it has one.
func (s *Space) disown(p *pool, e *Element) {
	at := &p.seats[e.slot]
	if at.by.IsZero() {
		return
	}
	o, last := s.owners[at.by.Name()], len(s.owners[at.by.Name()].elements)-1
	moved := o.elements[last]
	o.elements[at.place] = moved
	moved.pool.seats[moved.slot].place = at.place
	o.elements[last] = owned{}
	o.elements = o.elements[:last]
	if last == 0 {
		delete(s.owners, at.by.Name())
	}
	at.by, at.place = Identity{}, 0
}
