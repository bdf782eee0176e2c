// SPDX-License-Identifier: Apache-2.0

package handlespace

import (
	"iter"
	"maps"
	"slices"

	"github.com/weir-lb/weir/registrar/wire"
)

// home is a registrar that elements are registered at.
type home struct {
	checksum wire.Checksum
	children int
	pools    map[wire.PoolHandle]bool // where it has some
}

// family is the elements of a pool that have the same home.
type family struct {
	at       wire.ServerID
	home     *home
	children int
}

// Homes are all registrars that are the home of an element, in order.
func (s *Space) Homes() []wire.ServerID { return slices.Sorted(maps.Keys(s.homes)) }

// NumChildren is how many elements have this home.
func (s *Space) NumChildren(home wire.ServerID) int {
	h := s.homes[home]
	if h == nil {
		return 0
	}
	return h.children
}

// Checksum is the PE checksum of the elements of this home (RFC 5353 3.6.2), 0xffff if there are none. It is kept as they
// come and go.
func (s *Space) Checksum(home wire.ServerID) uint16 {
	h := s.homes[home]
	if h == nil {
		return wire.Checksum{}.Value()
	}
	return h.checksum.Value()
}

// All are all elements after this one, in the order of their pools' handles, then of their identifiers. The zero Key, which
// names no element, is before all. The Space must not change meanwhile, but may before it is asked for what comes after
// the last that was seen: so goes a handle table that takes several messages (RFC 5353 3.2.3).
func (s *Space) All(after Key) iter.Seq2[Key, *Element] {
	return s.walk(after, slices.Sorted(maps.Keys(s.pools)), func(*Element) bool { return true })
}

// Children are those of All whose home is this one.
func (s *Space) Children(home wire.ServerID, after Key) iter.Seq2[Key, *Element] {
	var handles []wire.PoolHandle
	if h := s.homes[home]; h != nil {
		handles = slices.Sorted(maps.Keys(h.pools))
	}
	return s.walk(after, handles, func(e *Element) bool { return e.Home == home })
}

// walk goes through the pools of these handles, which are in order.
func (s *Space) walk(after Key, handles []wire.PoolHandle, want func(*Element) bool) iter.Seq2[Key, *Element] {
	first, _ := slices.BinarySearch(handles, after.Pool)
	return func(yield func(Key, *Element) bool) {
		for _, h := range handles[first:] {
			from := wire.PEID(0)
			if h == after.Pool {
				from = after.PE + 1
			}
			if h == after.Pool && from == 0 { // the highest identifier there is
				continue
			}
			for e := range s.pools[h].ordered().from(from) {
				if want(e) && !yield(Key{h, e.ID}, e) {
					return
				}
			}
		}
	}
}

// settle notes that an element of p is at home there.
func (s *Space) settle(p *pool, id wire.PEID, at wire.ServerID) {
	f := p.family(at)
	if f == nil {
		p.families = append(p.families, s.newFamily(p, at))
		f = &p.families[len(p.families)-1]
	}
	f.children++
	f.home.children++
	f.home.checksum.Add(p.handle, id)
}

// newFamily makes a family without children.
func (s *Space) newFamily(p *pool, at wire.ServerID) family {
	h := s.homes[at]
	if h == nil {
		h = &home{pools: map[wire.PoolHandle]bool{}}
		s.homes[at] = h
	}
	h.pools[p.handle] = true
	return family{at: at, home: h}
}

// depart notes that an element of p is not at home there any more.
func (s *Space) depart(p *pool, id wire.PEID, from wire.ServerID) {
	f := p.family(from)
	f.children--
	f.home.children--
	f.home.checksum.Remove(p.handle, id)
	if f.children > 0 {
		return
	}
	delete(f.home.pools, p.handle)
	if f.home.children == 0 {
		delete(s.homes, from)
	}
	*f = p.families[len(p.families)-1]
	p.families = p.families[:len(p.families)-1]
}

// family is nil if no element of the pool is at home there. A pool has few homes.
func (p *pool) family(at wire.ServerID) *family {
	for i := range p.families {
		if p.families[i].at == at {
			return &p.families[i]
		}
	}
	return nil
}
