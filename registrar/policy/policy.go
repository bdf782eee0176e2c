// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"math/rand/v2"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/prefetch"
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
// next stays next. It must be told of every change, each of which costs O(log elements) at most, as does each element of a
// resolution. It is not safe for concurrent use.
type Selector struct {
	chooser
	counts bool // what each selection adds to an element's load
	n      int
	chosen []*handlespace.Element // by the last Select
}

// chooser is what a policy keeps of the elements, in tables by their slots.
type chooser interface {
	put(e *handlespace.Element, registered bool) (added bool)
	remove(e *handlespace.Element) (removed bool)
	// choose appends up to limit elements; rnd may be nil unless the policy is a random one.
	choose(rnd *rand.Rand, limit int, chosen []*handlespace.Element) []*handlespace.Element
	withdraw(e *handlespace.Element)
	// expect fetches what the element of this slot has in the tables, if it has something.
	expect(slot int)
}

// New makes the Selector of a pool without elements that has this policy; one that is not supported is round robin.
func New(t wire.PolicyType) *Selector {
	s := &Selector{chooser: &robin{}, counts: t == wire.PolicyLeastUsedWithDegradation}
	switch t {
	case wire.PolicyWeightedRoundRobin:
		s.chooser = &wheel{}
	case wire.PolicyRandom, wire.PolicyWeightedRandom, wire.PolicyRandomizedLeastUsed:
		s.chooser = &lottery{}
	case wire.PolicyPriority, wire.PolicyLeastUsed, wire.PolicyLeastUsedWithDegradation, wire.PolicyPriorityLeastUsed:
		s.chooser = &ranking{}
	}
	return s
}

// Registered takes an element as it is after a registration, re-registration, or what another registrar told of it. Even if
// that changed nothing, the element's degradation counter is 0 again (RFC 5356 5.2.2).
func (s *Selector) Registered(e *handlespace.Element, changed bool) {
	if changed || s.counts {
		s.take(e, true)
	}
}

// Expect says that the element of this slot is likely to change, come or leave next. It is for the time that takes alone: what
// the policy has of the element is at hand when it is told. Nothing needs to be expected, nor to happen.
func (s *Selector) Expect(slot int) { s.expect(slot) }

// Put takes an element as it is after any other change.
func (s *Selector) Put(e *handlespace.Element) { s.take(e, false) }

func (s *Selector) take(e *handlespace.Element, registered bool) {
	if s.put(e, registered) {
		s.n++
	}
}

// Remove takes an element out; unless it is in, nothing happens.
func (s *Selector) Remove(e *handlespace.Element) {
	if s.remove(e) {
		s.n--
	}
}

// Len is how many elements are in, those that get no work too.
func (s *Selector) Len() int { return s.n }

// Select is up to limit elements in the order in which a pool user should use them, each at most once, and remembers that
// they were selected. It is empty if no element can get work. rnd is used by the random policies only. The result is good
// until the next call.
//
// RFC 5356 4.2.2 has an element several times in the circular list. A response names it at its first occurrence after the
// head only, since a second copy tells a pool user nothing; the shares show over many resolutions.
func (s *Selector) Select(rnd *rand.Rand, limit int) []*handlespace.Element {
	s.chosen = s.chosen[:0]
	if limit > 0 {
		s.chosen = s.choose(rnd, limit, s.chosen)
	}
	return s.chosen
}

// Withdraw takes back what the last Select selected but for the first few: those had no place in the response, so that
// their degradation counters must not count them. The elements must still be in.
func (s *Selector) Withdraw(but int) {
	but = min(but, len(s.chosen))
	for _, e := range s.chosen[but:] {
		s.withdraw(e)
	}
	s.chosen = s.chosen[:but]
}

// fetch fetches the entry of a slot.
func fetch[T any](table []T, slot int) {
	if slot < len(table) {
		prefetch.Of(&table[slot])
	}
}

// seat is the entry of an element in a table by slots, which grows for it.
func seat[T any](table *[]T, e *handlespace.Element) *T {
	for len(*table) <= e.Slot() {
		var zero T
		*table = append(*table, zero)
	}
	return &(*table)[e.Slot()]
}
