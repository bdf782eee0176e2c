// SPDX-License-Identifier: Apache-2.0

package handlespace

import (
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

// Space is a registrar's handlespace. It is not safe for concurrent use; its snapshots and elements are.
type Space struct {
	pools      map[wire.PoolHandle]*pool
	owners     map[string]*owner
	homes      map[wire.ServerID]*home
	numbered   []*pool  // the pools by their numbers
	numbers    []uint32 // free ones below len(numbered)
	elements   int
	generation uint64
}

// New makes an empty handlespace.
func New() *Space {
	return &Space{
		pools: map[wire.PoolHandle]*pool{}, owners: map[string]*owner{}, homes: map[wire.ServerID]*home{},
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
			if len(p.index) > 0 && !yield(p.snapshot()) {
				return
			}
		}
	}
}

// Find is the element of this name as it is now, nil if there is none.
func (s *Space) Find(k Key) *Element {
	_, e := s.lookup(k)
	return e
}

// lookup is an element and its pool; the element is nil if there is no such one.
func (s *Space) lookup(k Key) (*pool, *Element) {
	p := s.pools[k.Pool]
	if p == nil {
		return nil, nil
	}
	return p, p.index[k.PE]
}

// Gone is what an observer of a pool sees that is not there any more: a snapshot without elements.
func (s *Space) Gone(h wire.PoolHandle) *Pool {
	s.generation++
	return &Pool{handle: h, generation: s.generation}
}

// SetState makes an element Up or Away, and says whether that changed it. The element must exist.
func (s *Space) SetState(k Key, state State) (changed bool) {
	p, e := s.mustFind(k)
	if e.State == state {
		return false
	}
	next := e.copy()
	next.State = state
	s.put(p, next)
	return true
}

// Rehome gives an element another home registrar, and says whether that changed it. Who owns it stays. The element must
// exist.
func (s *Space) Rehome(k Key, to wire.ServerID) (changed bool) {
	p, e := s.mustFind(k)
	if e.Home == to {
		return false
	}
	s.depart(p, e.ID, e.Home)
	s.settle(p, e.ID, to)
	next := e.copy()
	next.Home = to
	s.put(p, next)
	return true
}

func (s *Space) mustFind(k Key) (*pool, *Element) {
	p, e := s.lookup(k)
	if e == nil {
		panic("handlespace: change of an element that does not exist")
	}
	return p, e
}

// Remove takes an element out, whoever owns it, and returns it as it was last; nil if there is no such element. The last
// one takes the pool with it (RFC 5352 3.2).
func (s *Space) Remove(k Key) *Element {
	p, e := s.lookup(k)
	if e != nil {
		s.take(p, e)
	}
	return e
}

// take takes e out of p.
func (s *Space) take(p *pool, e *Element) {
	s.disown(p, e)
	s.depart(p, e.ID, e.Home)
	delete(p.index, e.ID)
	p.free = append(p.free, e.slot)
	s.touch(p, e.ID)
	s.elements--
	if len(p.index) == 0 {
		s.close(p)
	}
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

// put stores e in p, which may be a pool that is not in the Space yet.
func (s *Space) put(p *pool, e *Element) {
	p.index[e.ID] = e
	s.touch(p, e.ID)
}

// touch notes that p is not any more as its last snapshot, since the element of this identifier changed, came or left.
func (s *Space) touch(p *pool, id wire.PEID) {
	s.generation++
	p.generation, p.latest = s.generation, nil
	p.outdate(id)
}
