// SPDX-License-Identifier: Apache-2.0

package handlespace

import (
	"slices"

	"github.com/weir-lb/weir/registrar/prefetch"
	"github.com/weir-lb/weir/registrar/wire"
)

// pool is one that is there. Its elements are found by the index; in order they are only when somebody asks for that, which
// a registrar that steers nothing seldom does.
type pool struct {
	Pool            // but for its tree, as it is now
	latest    *Pool // the snapshot of just that; nil if none was asked for since the last change
	index     index
	outdated  []wire.PEID // what the tree does not have as the index has it
	unordered bool        // there is no tree: too much was outdated
	transport wire.Transport
	number    uint32   // in the Space, while it is there
	seats     []seat   // by slot
	free      []uint32 // slots below len(seats)
	families  []family
	soon      func(slot int) // see Ahead; nil if nobody wants to know
}

// seat is whose a slot is. It has no pointers, so that the garbage collector need not look through them.
type seat struct {
	id            wire.PEID
	home          wire.ServerID
	before, after owned // in its owner's list, if it has one and there are some
}

// found is a pool without elements that agrees with its founder (RFC 5352 3.1 rule 1).
func found(h wire.PoolHandle, founder *wire.PoolElement) *pool {
	e := newElement(founder, 0, Identity{}, 0) // a copy, which nobody else writes to
	return &pool{
		Pool:      Pool{handle: h, policy: e.Policy, protocol: e.User.Protocol, use: e.User.Use},
		transport: e.User,
		index:     newIndex(),
		unordered: true,
	}
}

// admits checks what RFC 5352 3.1 rules 2 and 3 ask of a pool's elements.
func (p *pool) admits(we *wire.PoolElement) error {
	if we.Policy.Type != p.policy.Type {
		tlv, _ := p.policy.AppendTLV(nil)
		return refuse(wire.CauseInconsistentPolicy, "the pool's policy is "+p.policy.Type.String(), tlv)
	}
	if we.User.Protocol != p.protocol {
		tlv, _ := p.transport.AppendTLV(nil)
		return refuse(wire.CauseInconsistentTransport, "the pool's transport is "+p.protocol.String(), tlv)
	}
	if we.User.Use != p.use {
		return refuse(wire.CauseInconsistentTransportUse, "the pool's transport use is "+p.use.String(), nil)
	}
	return nil
}

// outdate notes that the tree does not have the element of this identifier, or its lack, as it is now. When bringing the tree
// up to date would be about as much work as building one, there is none.
func (p *pool) outdate(id wire.PEID) {
	if p.unordered {
		return
	}
	p.outdated = append(p.outdated, id)
	if len(p.outdated) > 16+p.index.n/2 {
		p.elements, p.outdated, p.unordered = tree{epoch: p.elements.epoch}, nil, true
	}
}

// ordered is the tree as the index is now. Each change of an element costs no more than one here, however often it is asked
// for.
func (p *pool) ordered() *tree {
	if p.unordered {
		p.unordered = false
		p.outdated = p.sorted()
	}
	for _, id := range p.outdated {
		if e := p.find(id); e != nil {
			p.elements.put(e)
		} else if p.elements.find(id) != nil {
			p.elements.remove(id)
		}
	}
	p.outdated = p.outdated[:0]
	return &p.elements
}

// find is the element of this identifier, nil if there is none.
func (p *pool) find(id wire.PEID) *Element {
	at := p.index.find(id)
	if at < 0 {
		return nil
	}
	return p.index.entries[at].element
}

// sorted are the identifiers in order.
func (p *pool) sorted() []wire.PEID {
	ids := make([]wire.PEID, 0, p.index.n)
	for _, k := range p.index.keys {
		if k.at != 0 {
			ids = append(ids, k.id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (p *pool) snapshot() *Pool {
	if p.latest == nil {
		p.ordered()
		now := p.Pool
		now.elements = p.elements.snapshot()
		p.latest = &now
	}
	return p.latest
}

// expect has at hand what there is of a slot, here and beside the handlespace.
func (p *pool) expect(slot uint32) {
	if int(slot) < len(p.seats) {
		prefetch.Of(&p.seats[slot])
	}
	if p.soon != nil {
		p.soon(int(slot))
	}
}

// seat is a free slot.
func (p *pool) seat() uint32 {
	if last := len(p.free) - 1; last >= 0 {
		slot := p.free[last]
		p.free = p.free[:last]
		return slot
	}
	p.seats = append(p.seats, seat{})
	return uint32(len(p.seats) - 1)
}
