// SPDX-License-Identifier: Apache-2.0

package handlespace

import (
	"cmp"
	"maps"
	"slices"
)

// owner is all elements of the identities of one name: a list through their seats, since taking one out of that reads no more
// than its own seat, and only writes to its neighbours'.
type owner struct {
	space *Space // never changes
	n     int    // 0: gone, and another owner of the same name may be there
	first owned
	last  owned
}

// owned is one of them: without pointers, since the garbage collector would follow each.
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
	return o.n
}

// Owned are the elements that the identity of this name owns in all its sessions, by pool and identifier.
func (s *Space) Owned(name string) []Key {
	o := s.owners[name]
	if o == nil {
		return nil
	}
	keys := make([]Key, o.n)
	for i, one := 0, o.first; i < len(keys); i++ {
		p := s.numbered[one.pool]
		seat := &p.seats[one.slot]
		keys[i], one = Key{p.handle, seat.id}, seat.after
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
	p, at := s.lookup(k)
	if at < 0 {
		return Identity{}
	}
	return p.index.entries[at].by
}

// own notes whose the element of this slot is, if it is somebody's.
func (s *Space) own(p *pool, slot uint32, by Identity) {
	if by.IsZero() {
		return
	}
	o, one := s.owner(by), owned{p.number, slot}
	if o.n == 0 {
		o.last = one
	} else {
		s.seat(o.first).before = one
	}
	p.seats[slot].after, o.first = o.first, one
	o.n++
}

// disown takes the element of this slot from its owner, if it has one.
func (s *Space) disown(p *pool, slot uint32, by Identity) {
	if by.IsZero() {
		return
	}
	o, one := s.owner(by), owned{p.number, slot}
	before, after := p.seats[slot].before, p.seats[slot].after
	if one == o.first {
		o.first = after
	} else {
		s.seat(before).after = after
	}
	if one == o.last {
		o.last = before
	} else {
		s.seat(after).before = before
	}
	o.n--
	if o.n == 0 {
		delete(s.owners, by.Name())
	}
}

func (s *Space) seat(o owned) *seat { return &s.numbered[o.pool].seats[o.slot] }

// owner is that of an identity, which has a note of it.
func (s *Space) owner(by Identity) *owner {
	if o := by.who.owner.Load(); o != nil && o.space == s && o.n > 0 {
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
