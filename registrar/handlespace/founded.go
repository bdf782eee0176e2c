// SPDX-License-Identifier: Apache-2.0

package handlespace

import (
	"maps"
	"slices"

	"github.com/weir-lb/weir/registrar/wire"
)

// pool is one that is there. Its elements are found by the index; in order they are only when somebody asks for that, which
// a registrar that steers nothing seldom does.
type pool struct {
	Pool            // but for its tree, as it is now
	latest    *Pool // the snapshot of just that; nil if none was asked for since the last change
	index     map[wire.PEID]*Element
	outdated  []wire.PEID // what the tree does not have as the index has it
	unordered bool        // there is no tree: too much was outdated
	transport wire.Transport
	number    uint32   // in the Space, while it is there
	seats     []seat   // by slot
	free      []uint32 // slots below len(seats)
	families  []family
}

// seat is what a slot is of. It means nothing for an element without an owner.
type seat struct {
	id    wire.PEID
	place uint32 // in its owner's list
}

// found is a pool without elements that agrees with its founder (RFC 5352 3.1 rule 1).
func found(h wire.PoolHandle, founder *wire.PoolElement) *pool {
	e := newElement(founder, 0, Identity{}, 0) // a copy, which nobody else writes to
	return &pool{
		Pool:      Pool{handle: h, policy: e.Policy, protocol: e.User.Protocol, use: e.User.Use},
		transport: e.User,
		index:     map[wire.PEID]*Element{},
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
	if len(p.outdated) > 16+len(p.index)/2 {
		p.elements, p.outdated, p.unordered = tree{epoch: p.elements.epoch}, nil, true
	}
}

// ordered is the tree as the index is now. Each change of an element costs no more than one here, however often it is asked
// for.
func (p *pool) ordered() *tree {
	if p.unordered {
		p.unordered = false
		p.outdated = slices.Sorted(maps.Keys(p.index))
	}
	for _, id := range p.outdated {
		if e := p.index[id]; e != nil {
			p.elements.put(e)
		} else if p.elements.find(id) != nil {
			p.elements.remove(id)
		}
	}
	p.outdated = p.outdated[:0]
	return &p.elements
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
