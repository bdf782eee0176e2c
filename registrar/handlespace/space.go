// SPDX-License-Identifier: Apache-2.0

package handlespace

import (
	"hash/maphash"
	"iter"
	"maps"
	"slices"
	"unsafe"

	"github.com/weir-lb/weir/registrar/prefetch"
	"github.com/weir-lb/weir/registrar/wire"
)

// Key names an element: its pool, and its identifier there.
type Key struct {
	Pool wire.PoolHandle
	PE   wire.PEID
}

// Space is a registrar's handlespace. It is not safe for concurrent use; its snapshots and elements are.
type Space struct {
	pools      map[wire.PoolHandle]*pool
	owners     map[string]*owner
	homes      map[wire.ServerID]*home
	numbered   []*pool  // the pools by their numbers
	numbers    []uint32 // free ones below len(numbered)
	elements   int
	generation uint64
	seed       maphash.Seed // of the prints
}

// New makes an empty handlespace.
func New() *Space {
	return &Space{
		pools: map[wire.PoolHandle]*pool{}, owners: map[string]*owner{}, homes: map[wire.ServerID]*home{},
		seed: maphash.MakeSeed(),
	}
}

// Len is the number of elements in all pools.
func (s *Space) Len() int { return s.elements }

// NumPools is the number of pools.
func (s *Space) NumPools() int { return len(s.pools) }

// Pool is the pool of this name as it is now, nil if there is none. It is the same snapshot as before if nothing that it
// shows has changed. Its cost is that of the changes since the last one that was asked for, at most that of all elements.
func (s *Space) Pool(h wire.PoolHandle) *Pool {
	p := s.pools[h]
	if p == nil {
		return nil
	}
	return p.snapshot()
}

// Policy is the overall policy of the pool of this name, as its snapshot has it, which is not made for that; false if there
// is no such pool.
func (s *Space) Policy(h wire.PoolHandle) (wire.Policy, bool) {
	p := s.pools[h]
	if p == nil {
		return wire.Policy{}, false
	}
	return p.policy, true
}

// Pools are all pools as they are now, in no order. The Space may change meanwhile.
func (s *Space) Pools() iter.Seq[*Pool] {
	all := slices.Collect(maps.Values(s.pools))
	return func(yield func(*Pool) bool) {
		for _, p := range all {
			if p.index.n > 0 && !yield(p.snapshot()) {
				return
			}
		}
	}
}

// Ahead has soon called with the slot of an element of this pool as soon as it is known that an operation is about that
// element, before anything has changed: whoever keeps tables by slot can fetch what is in them while the Space does its part.
// It must not use the Space. The pool must be there; when it leaves, soon is not called any more.
func (s *Space) Ahead(h wire.PoolHandle, soon func(slot int)) { s.pools[h].soon = soon }

// Find is the element of this name as it is now, nil if there is none.
func (s *Space) Find(k Key) *Element {
	p, at := s.lookup(k)
	if at < 0 {
		return nil
	}
	return p.index.entries[at].element
}

// lookup is where an element is: its pool, and where in that pool's index; -1 if there is no such element.
func (s *Space) lookup(k Key) (*pool, int) {
	p := s.pools[k.Pool]
	if p == nil {
		return nil, -1
	}
	p.index.expect(k.PE)
	return p, p.index.find(k.PE)
}

// Gone is what an observer of a pool sees that is not there any more: a snapshot without elements.
func (s *Space) Gone(h wire.PoolHandle) *Pool {
	s.generation++
	return &Pool{handle: h, generation: s.generation}
}

// SetState makes an element Up or Away, and says whether that changed it. The element must exist.
func (s *Space) SetState(k Key, state State) (changed bool) {
	return s.change(k, func(e *Element) { e.State = state })
}

// Rehome gives an element another home registrar, and says whether that changed it. Who owns it stays. The element must
// exist.
func (s *Space) Rehome(k Key, to wire.ServerID) (changed bool) {
	return s.change(k, func(e *Element) { e.Home = to })
}

// change changes the state or the home.
func (s *Space) change(k Key, to func(*Element)) (changed bool) {
	p, at := s.lookup(k)
	if at < 0 {
		panic("handlespace: change of an element that does not exist")
	}
	e := p.index.entries[at].element
	next := e.copy()
	to(next)
	if next.State == e.State && next.Home == e.Home {
		return false
	}
	now := unlike
	if next.State == Up {
		we := next.Wire()
		now = s.printOf(&we, next.Home, next.by)
	}
	s.replace(p, at, next, now)
	return true
}

// Remove takes an element out, whoever owns it, and returns it as it was last; nil if there is no such element. The last
// one takes the pool with it (RFC 5352 3.2).
func (s *Space) Remove(k Key) *Element {
	p, at := s.lookup(k)
	if at < 0 {
		return nil
	}
	return s.take(p, at)
}

// take takes an element out of p, and returns it.
func (s *Space) take(p *pool, at int) *Element {
	was, id, slot := p.index.entries[at], p.index.keys[at].id, p.index.slot(at)
	prefetch.Line(unsafe.Pointer(was.element))
	p.index.remove(at)
	s.disown(p, slot, was.by)
	s.depart(p, id, p.seats[slot].home)
	p.free = append(p.free, slot)
	s.touch(p, id)
	s.elements--
	if p.index.n == 0 {
		s.close(p)
	}
	return was.element
}

// open takes in a pool that has no elements yet.
func (s *Space) open(p *pool) {
	if last := len(s.numbers) - 1; last >= 0 {
		p.number = s.numbers[last]
		s.numbers = s.numbers[:last]
	} else {
		p.number = uint32(len(s.numbered))
		s.numbered = append(s.numbered, nil)
	}
	s.numbered[p.number] = p
	s.pools[p.handle] = p
}

// close takes out a pool that has no elements any more.
func (s *Space) close(p *pool) {
	s.numbered[p.number] = nil
	s.numbers = append(s.numbers, p.number)
	delete(s.pools, p.handle)
}

// put stores e, whose place in the index and print these are.
func (s *Space) put(p *pool, at int, e *Element, now fingerprint) {
	p.index.entries[at] = entry{e, e.by, now}
	s.touch(p, e.ID)
}

// touch notes that p is not any more as its last snapshot, since the element of this identifier changed, came or left.
func (s *Space) touch(p *pool, id wire.PEID) {
	s.generation++
	p.generation, p.latest = s.generation, nil
	p.outdate(id)
}
