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

// Selector chooses among the elements of one pool, and remembers what a policy needs from one resolution to the next: the
// head of the circular list of RFC 5356 4.1.2, the degradation counters of 5.2.2. It survives changes of the pool: who is
// next stays next. It must be told of every change. It is not safe for concurrent use.
type Selector struct {
	members members
	next    wire.PEID // round robin: the first identifier to consider
	wheel   wheel     // weighted round robin
	ranking ranking   // priority, and those by load but the randomized one
	lottery lottery   // the random ones
}

// New makes the Selector of a pool without elements that has this policy.
func New(t wire.PolicyType) *Selector {
	s := &Selector{members: members{policy: t}}
	return s
}

// Registered takes an element as it is after a registration, re-registration, or what another registrar told of it, even if
// that changed nothing: the element's degradation counter is 0 again (RFC 5356 5.2.2).
func (s *Selector) Registered(e *handlespace.Element) {
	s.members.put(e)
	s.ranking.reset(e.ID)
}

// Put takes an element as it is after any other change.
func (s *Selector) Put(e *handlespace.Element) { s.members.put(e) }

// Remove takes an element out; unless it is in, nothing happens.
func (s *Selector) Remove(e *handlespace.Element) { s.members.remove(e.ID) }

// Len is how many elements are in, those that get no work too.
func (s *Selector) Len() int { return s.members.len() }

// Withdraw takes back that the element of this identifier was selected by the last Select: it was not returned to the pool
// user after all, so that its degradation counter must not count it.
func (s *Selector) Withdraw(id wire.PEID) { s.ranking.withdraw(id) }

// Select is up to limit elements in the order in which a pool user should use them, each at most once, and remembers that
// they were selected. It is empty if no element can get work. rnd is used by the random policies only. The result is good
// until the next call.
//
// RFC 5356 4.2.2 has an element several times in the circular list. A response names it at its first occurrence after the
// head only, since a second copy tells a pool user nothing; the shares show over many resolutions.
func (s *Selector) Select(rnd *rand.Rand, limit int) []*handlespace.Element {
	p := &s.members
	if p.len() == 0 || limit <= 0 {
		return nil
	}
	switch p.policy {
	case wire.PolicyWeightedRoundRobin:
		return s.wheel.order(p, limit)
	case wire.PolicyRandom, wire.PolicyWeightedRandom, wire.PolicyRandomizedLeastUsed:
		return s.lottery.order(p, rnd, limit)
	case wire.PolicyPriority, wire.PolicyLeastUsed, wire.PolicyLeastUsedWithDegradation, wire.PolicyPriorityLeastUsed:
		return s.ranking.order(p, limit)
	}
	return s.roundRobin(p, limit)
}

// roundRobin walks the elements as a circle, from the head on.
func (s *Selector) roundRobin(p *members, limit int) []*handlespace.Element {
	order := make([]*handlespace.Element, 0, min(limit, p.len()))
	head, _ := p.search(s.next)
	for i := range p.len() {
		if len(order) == limit {
			break
		}
		if e := p.at((head + i) % p.len()); e.State == handlespace.Up {
			order = append(order, e)
		}
	}
	if len(order) > 0 {
		s.next = order[0].ID + 1 // after the highest identifier of all this is 0: the beginning
	}
	return order
}
