// SPDX-License-Identifier: Apache-2.0

package handlespace

import (
	"cmp"
	"maps"
	"slices"
)

// owner is all elements of the identities of one name.
type owner struct {
	space    *Space // never changes
	gone     bool   // there are none any more, and another owner of the same name may be there
	elements []owned
}

// owned is one of them: without pointers, since there may be as many as elements, and the garbage collector follows each.
type owned struct {
	pool uint32 // its number
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
		p := s.numbered[e.pool]
		keys[i] = Key{p.handle, p.seats[e.slot].id}
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
	return e.by
}

// own notes who owns an element, if somebody does.
func (s *Space) own(p *pool, e *Element) {
	if e.by.IsZero() {
		return
	}
	o := s.owner(e.by)
	p.seats[e.slot] = seat{e.ID, uint32(len(o.elements))}
	o.elements = append(o.elements, owned{p.number, e.slot})
}

// disown takes an element from its owner, if it has one.
func (s *Space) disown(p *pool, e *Element) {
	if e.by.IsZero() {
		return
	}
	o, place := s.owner(e.by), p.seats[e.slot].place
	last := len(o.elements) - 1
	moved := o.elements[last]
	o.elements[place] = moved
	s.numbered[moved.pool].seats[moved.slot].place = place
	o.elements = o.elements[:last]
	if last == 0 {
		o.gone = true
		delete(s.owners, e.Identity)
	}
}

// owner is that of an identity, which has a note of it.
func (s *Space) owner(by Identity) *owner {
	if o := by.who.owner.Load(); o != nil && o.space == s && !o.gone {
		return o
	}
	o := s.owners[by.who.name]
	if o == nil {
		o = &owner{space: s}
		s.owners[by.who.name] = o
	}
	by.who.owner.Store(o)
	return o
}
