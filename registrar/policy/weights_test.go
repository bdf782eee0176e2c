// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"math"
	"slices"
	"testing"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/policy"
	"github.com/weir-lb/weir/registrar/wire"
)

func weights(s space) []uint32 {
	var all []uint32
	for _, w := range policy.Weights(s.pool()) {
		all = append(all, w.Weight)
	}
	return all
}

func TestWeightsOfEachPolicy(t *testing.T) {
	const full = math.MaxUint32
	for _, tt := range []struct {
		name     string
		policies []wire.Policy
		want     []uint32
	}{
		{"round robin", of(same(wire.RoundRobin()), 0, 0), []uint32{1, 1}},
		{"random", of(same(wire.Random()), 0, 0), []uint32{1, 1}},
		{"weighted round robin", of(wire.WeightedRoundRobin, 3, 0, full), []uint32{3, 0, full}},
		{"weighted random", of(wire.WeightedRandom, 3, 0, full), []uint32{3, 0, full}},
		{"priority: only the highest", of(wire.Priority, 5, 7, 6, 7), []uint32{0, 1, 0, 1}},
		{"priority: 0 is one too", of(wire.Priority, 0, 0), []uint32{1, 1}},

		{"least used: what is unused", of(wire.LeastUsed, percent(20), percent(60), 0), []uint32{800, 400, 1000}},
		{"least used: to the one with the most", of(wire.LeastUsed, percent(75), percent(50)), []uint32{500, 1000}},
		{"least used: a little apart though all are loaded", of(wire.LeastUsed, full-3, full-4, full-1), []uint32{750, 1000, 250}},
		{"least used: a full one still serves", of(wire.LeastUsed, full, 0), []uint32{1, 1000}},
		{"least used: never below a thousandth", of(wire.LeastUsed, full-1, 0), []uint32{1, 1000}},
		{"least used: all full are equal", of(wire.LeastUsed, full, full), []uint32{1, 1}},
		{"least used: idle ones are equal", of(wire.LeastUsed, 0, 0), []uint32{1000, 1000}},
		{"randomized least used", of(wire.RandomizedLeastUsed, percent(20), percent(60), full), []uint32{1000, 500, 1}},
		{"randomized least used: all full", of(wire.RandomizedLeastUsed, full, full, full), []uint32{1, 1, 1}},

		{ // 100-60 and 100-100: the example of RFC 5356 5.3.1
			"priority least used: what is unused after one more",
			pairs(wire.PriorityLeastUsed, [2]uint32{percent(50), percent(10)}, [2]uint32{percent(50), full - percent(50)}),
			[]uint32{1000, 1},
		},
		{ // 80 and 40
			"priority least used: in proportion",
			pairs(wire.PriorityLeastUsed, [2]uint32{percent(10), percent(10)}, [2]uint32{percent(20), percent(40)}),
			[]uint32{1000, 500},
		},
		{
			"priority least used: one more than full is full",
			pairs(wire.PriorityLeastUsed, [2]uint32{percent(90), percent(90)}, [2]uint32{full, full}), []uint32{1, 1},
		},

		{ // 80/10 and 80/20 more requests
			"degradation: how many more until it is full",
			pairs(wire.LeastUsedWithDegradation, [2]uint32{percent(20), percent(10)}, [2]uint32{percent(20), percent(20)}),
			[]uint32{1000, 500},
		},
		{ // 50/10 and 100/10
			"degradation: equal ones, it is least used",
			pairs(wire.LeastUsedWithDegradation, [2]uint32{percent(50), percent(10)}, [2]uint32{0, percent(10)}),
			[]uint32{500, 1000},
		},
		{
			"degradation: none at all, it is least used",
			pairs(wire.LeastUsedWithDegradation, [2]uint32{percent(20), 0}, [2]uint32{percent(60), 0}), []uint32{1000, 500},
		},
		{ // 2^32-1 / 2^16 and 2^32-1 / 2^18
			"degradation: less than 1/65,536 counts as that",
			pairs(wire.LeastUsedWithDegradation, [2]uint32{0, 0}, [2]uint32{0, 1 << 18}), []uint32{1000, 250},
		},
		{
			"degradation: no room for a whole one is still room",
			pairs(wire.LeastUsedWithDegradation, [2]uint32{percent(50), full}, [2]uint32{percent(75), full}), []uint32{1000, 500},
		},
		{
			"degradation: all full", pairs(wire.LeastUsedWithDegradation, [2]uint32{full, 5}, [2]uint32{full, 0}), []uint32{1, 1},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := weights(each(t, tt.policies...)); !slices.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

// The next priority takes over when the highest goes away, and hands back.
func TestPriorityWeightsFollowWhoIsUp(t *testing.T) {
	s := each(t, of(wire.Priority, 9, 5, 5, 1)...)
	if got := weights(s); !slices.Equal(got, []uint32{1, 0, 0, 0}) {
		t.Errorf("%v, want only a", got)
	}
	s.SetState(key(1), handlespace.Away)
	if got := weights(s); !slices.Equal(got, []uint32{1, 1, 0}) {
		t.Errorf("a is away: %v, want b and c", got)
	}
	s.SetState(key(1), handlespace.Up)
	if got := weights(s); !slices.Equal(got, []uint32{1, 0, 0, 0}) {
		t.Errorf("a is back: %v, want only a", got)
	}
}

// Load never leaves a pool that has somebody up without anybody to serve, and never an element.
func TestWeightsAreExpressible(t *testing.T) {
	rnd := seeded()
	for name, element := range everyPolicy(rnd) {
		for range 300 {
			s := newSpace()
			for id := range 1 + rnd.Uint32N(9) {
				s.add(t, wire.PEID(id+1), element())
			}
			got := weights(s)
			loaded := name == "lu" || name == "lud" || name == "plu" || name == "rlu"
			if loaded && (slices.Min(got) < 1 || slices.Max(got) > 1000) {
				t.Errorf("%s: %v, want 1 to 1000", name, got)
			}
			if name == "prio" && slices.Max(got) != 1 {
				t.Errorf("%s: %v, want somebody", name, got)
			}
		}
	}
}

// What an element was given since its report counts with its degradation (RFC 5356 5.2.2, 5.3.2), and without
// one not at all.
func TestWeightsAfterWorkWasGiven(t *testing.T) {
	for _, tt := range []struct {
		name     string
		policies []wire.Policy
		given    []uint64
		want     []uint32
	}{
		{"least used knows of no work", of(wire.LeastUsed, 0, 0), []uint64{1000, 0}, []uint32{1000, 1000}},
		{
			"with degradation: a half of its room is used", // 50/10 against 100/10
			pairs(wire.LeastUsedWithDegradation, [2]uint32{0, percent(10)}, [2]uint32{0, percent(10)}), []uint64{5, 0}, []uint32{500, 1000},
		},
		{
			"with degradation: more than it has",
			pairs(wire.LeastUsedWithDegradation, [2]uint32{0, percent(10)}, [2]uint32{0, percent(10)}), []uint64{math.MaxUint64, 0}, []uint32{1, 1000},
		},
		{
			"priority least used: five and one more", // 100-50-10 and 100-0-10
			pairs(wire.PriorityLeastUsed, [2]uint32{0, percent(10)}, [2]uint32{0, percent(10)}), []uint64{5, 0}, []uint32{444, 1000},
		},
	} {
		s := newSpace()
		for i, p := range tt.policies {
			s.add(t, wire.PEID(i), p)
		}
		var got []uint32
		for _, w := range policy.WeightsOf(s.pool(), func(*handlespace.Element) bool { return true },
			func(e *handlespace.Element) uint64 { return tt.given[e.ID] }) {
			got = append(got, w.Weight)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: weights %v, want %v", tt.name, got, tt.want)
		}
	}
}
