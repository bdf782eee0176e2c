// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"math"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// Weight is an element's share of new work: Weight out of the sum of all.
type Weight struct {
	Element *handlespace.Element
	Weight  uint32
}

// Weights are the shares of all elements that are up, by identifier, for whoever steers flows without asking for each. An
// element of weight 0 gets no new work but keeps what it has: it is registered and up. That is one whose own weight is 0
// (RFC 5356 3.2) or above which another has a higher priority (4.5), never one that is only loaded.
//
// The policies by load have one mapping, proportional to the room that an element has left. All to the least loaded would
// be what a resolution does, but a resolution is asked again for each session, while weights stand until the next
// registration: the least loaded would get every flow until it reports that it is not any more.
func Weights(p *handlespace.Pool) []Weight {
	return WeightsOf(p, func(*handlespace.Element) bool { return true }, func(*handlespace.Element) uint64 { return 0 })
}

// WeightsOf are the shares of those of the pool's elements that may get new work, as if there were no others, when each
// was given so much since it reported its load: with a degradation its load is higher by as many times that (RFC 5356
// 5.2.2, 5.3.2).
func WeightsOf(p *handlespace.Pool, may func(*handlespace.Element) bool, given func(*handlespace.Element) uint64) []Weight {
	weights := make([]Weight, 0, p.Len())
	for e := range p.All() {
		if e.State == handlespace.Up && may(e) {
			weights = append(weights, Weight{Element: e, Weight: weight(p.Policy().Type, e)})
		}
	}
	switch p.Policy().Type {
	case wire.PolicyPriority:
		onlyHighest(weights)
	case wire.PolicyLeastUsed, wire.PolicyLeastUsedWithDegradation, wire.PolicyPriorityLeastUsed, wire.PolicyRandomizedLeastUsed:
		byRoom(weights, given)
	}
	return weights
}

// weight is 1 for each element of a pool whose policy has no weights.
func weight(t wire.PolicyType, e *handlespace.Element) uint32 {
	if t != wire.PolicyWeightedRoundRobin && t != wire.PolicyWeightedRandom {
		return 1
	}
	w, _ := e.Policy.Weight()
	return w
}

// onlyHighest leaves new work to those of the highest priority.
func onlyHighest(weights []Weight) {
	highest := uint32(0)
	for _, w := range weights {
		priority, _ := w.Element.Policy.Priority()
		highest = max(highest, priority)
	}
	for i, w := range weights {
		if priority, _ := w.Element.Policy.Priority(); priority < highest {
			weights[i].Weight = 0
		}
	}
}

// fullShare is the weight of the element with the most room. A finer one would not show: of a table of 65,537 slots, 65
// elements of this weight leave one of weight 1 a single slot.
const fullShare = 1000

// byRoom gives each element its room in thousandths of the greatest room, rounded, and at least 1: a full element still
// may serve, and if all are full they are equal.
func byRoom(weights []Weight, given func(*handlespace.Element) uint64) {
	greatest := uint64(0)
	rooms := make([]uint64, len(weights))
	for i, w := range weights {
		rooms[i] = room(w.Element.Policy, given(w.Element))
		greatest = max(greatest, rooms[i])
	}
	for i := range weights {
		share := uint64(0)
		if greatest > 0 {
			share = (rooms[i]*fullShare + greatest/2) / greatest
		}
		weights[i].Weight = uint32(max(share, 1))
	}
}

// leastStep is the least degradation that is told from none: 1/65,536 of the full load.
const leastStep = 1 << 16

// room is how much more an element could take that was given so much since its report, at most 2^32, in units that only
// its policy's type defines.
func room(p wire.Policy, given uint64) uint64 {
	load, _ := p.Load()
	degradation, _ := p.Degradation()
	unused := uint64(math.MaxUint32 - load)
	unused -= min(unused, min(given, math.MaxUint32)*uint64(degradation))
	switch p.Type {
	case wire.PolicyPriorityLeastUsed: // what is unused after one more request
		return unused - min(unused, uint64(degradation))
	case wire.PolicyLeastUsedWithDegradation: // how many more requests until it is full, times leastStep
		return unused * leastStep / max(uint64(degradation), leastStep)
	}
	return unused
}
