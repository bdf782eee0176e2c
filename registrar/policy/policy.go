// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// Supported says whether pools may have this policy.
func Supported(t wire.PolicyType) bool {
	return t == wire.PolicyRoundRobin || t == wire.PolicyWeightedRoundRobin
}

// Cursor is where the next resolution of one pool begins: the head of the circular list of RFC 5356 4.1.2. The zero Cursor
// begins at the beginning. It survives changes of the pool: who is next stays next.
type Cursor struct {
	next  wire.PEID // round robin: the first identifier to consider
	wheel wheel     // weighted round robin
}

// Order is up to limit elements of p in the order in which a pool user should use them, each at most once, and advances the
// cursor by one element. It is empty if no element can get work.
//
// RFC 5356 4.2.2 has an element several times in the circular list. A response names it at its first occurrence after the
// head only, since a second copy tells a pool user nothing; the shares show over many resolutions.
func Order(p *handlespace.Pool, c *Cursor, limit int) []handlespace.Element {
	if p.Len() == 0 || limit <= 0 {
		return nil
	}
	if p.Policy().Type == wire.PolicyWeightedRoundRobin {
		return c.wheel.order(p, limit)
	}
	return c.roundRobin(p, limit)
}

// roundRobin walks the elements as a circle, from the cursor on.
func (c *Cursor) roundRobin(p *handlespace.Pool, limit int) []handlespace.Element {
	order := make([]handlespace.Element, 0, min(limit, p.Len()))
	head, _ := p.Search(c.next)
	for i := range p.Len() {
		if len(order) == limit {
			break
		}
		if e := p.At((head + i) % p.Len()); e.State == handlespace.Up {
			order = append(order, e)
		}
	}
	if len(order) > 0 {
		c.next = order[0].ID + 1 // after the highest identifier of all this is 0: the beginning
	}
	return order
}

// Weight is an element's share of new work: Weight out of the sum of all.
type Weight struct {
	Element handlespace.Element
	Weight  uint32
}

// Weights are the shares of all elements that are up, by identifier. An element of weight 0 gets no new work (RFC 5356
// 3.2) but keeps what it has: it is registered and up.
func Weights(p *handlespace.Pool) []Weight {
	weights := make([]Weight, 0, p.Len())
	for i := range p.Len() {
		if e := p.At(i); e.State == handlespace.Up {
			weights = append(weights, Weight{e, weight(p, e)})
		}
	}
	return weights
}

// weight is 1 for each element of a pool whose policy has no weights.
func weight(p *handlespace.Pool, e handlespace.Element) uint32 {
	if p.Policy().Type != wire.PolicyWeightedRoundRobin {
		return 1
	}
	w, _ := e.Policy.Weight()
	return w
}
