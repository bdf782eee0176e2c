// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"math/rand/v2"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// Supported says whether pools may have this policy: all of RFC 5356 are supported, no private or later one is.
func Supported(t wire.PolicyType) bool {
	switch t {
	case wire.PolicyRoundRobin, wire.PolicyWeightedRoundRobin, wire.PolicyRandom, wire.PolicyWeightedRandom,
		wire.PolicyPriority, wire.PolicyLeastUsed, wire.PolicyLeastUsedWithDegradation, wire.PolicyPriorityLeastUsed,
		wire.PolicyRandomizedLeastUsed:
		return true
	}
	return false
}

// Cursor is what the resolutions of one pool leave for the next: the head of the circular list of RFC 5356 4.1.2, the
// degradation counters of 5.2.2. The zero Cursor begins at the beginning. It survives changes of the pool: who is next
// stays next.
type Cursor struct {
	next    wire.PEID // round robin: the first identifier to consider
	wheel   wheel     // weighted round robin
	ranking ranking   // priority, and those by load but the randomized one
	lottery lottery   // the random ones
}

// Registered must be called at each registration and re-registration of an element, even one that changes nothing: the
// element's degradation counter is 0 again (RFC 5356 5.2.2).
func (c *Cursor) Registered(id wire.PEID) { c.ranking.reset(id) }

// Withdraw takes back that an element was selected by the last Order: it was not returned to the pool user after all, so
// that its degradation counter must not count it.
func (c *Cursor) Withdraw(id wire.PEID) { c.ranking.withdraw(id) }

// Order is up to limit elements of p in the order in which a pool user should use them, each at most once, and remembers in
// the cursor that they were selected. It is empty if no element can get work. rnd is used by the random policies only.
//
// RFC 5356 4.2.2 has an element several times in the circular list. A response names it at its first occurrence after the
// head only, since a second copy tells a pool user nothing; the shares show over many resolutions.
func Order(p *handlespace.Pool, c *Cursor, rnd *rand.Rand, limit int) []handlespace.Element {
	if p.Len() == 0 || limit <= 0 {
		return nil
	}
	switch p.Policy().Type {
	case wire.PolicyWeightedRoundRobin:
		return c.wheel.order(p, limit)
	case wire.PolicyRandom, wire.PolicyWeightedRandom, wire.PolicyRandomizedLeastUsed:
		return c.lottery.order(p, rnd, limit)
	case wire.PolicyPriority, wire.PolicyLeastUsed, wire.PolicyLeastUsedWithDegradation, wire.PolicyPriorityLeastUsed:
		return c.ranking.order(p, limit)
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
