// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"math"
	"testing"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/policy"
	"github.com/weir-lb/weir/registrar/wire"
)

// percent is a load: n hundredths of 0xffffffff.
func percent(n uint64) uint32 { return uint32(n * math.MaxUint32 / 100) }

// each is a pool whose elements a, b, … have these policies.
func each(t testing.TB, policies ...wire.Policy) space {
	t.Helper()
	s := newSpace()
	for i, p := range policies {
		s.add(t, wire.PEID(i+1), p)
	}
	return s
}

// of is a constructor of one value applied to each.
func of(construct func(uint32) wire.Policy, values ...uint32) []wire.Policy {
	policies := make([]wire.Policy, len(values))
	for i, v := range values {
		policies[i] = construct(v)
	}
	return policies
}

// pairs is a constructor of a load and a degradation applied to each pair.
func pairs(construct func(_, _ uint32) wire.Policy, values ...[2]uint32) []wire.Policy {
	policies := make([]wire.Policy, len(values))
	for i, v := range values {
		policies[i] = construct(v[0], v[1])
	}
	return policies
}

func checkOrders(t *testing.T, c *policy.Selector, limit int, want ...string) {
	t.Helper()
	for i, w := range want {
		if got := letters(c.Select(nil, limit)); got != w {
			t.Errorf("resolution %d: %s, want %s", i, got, w)
		}
	}
}

func TestRankedOrders(t *testing.T) {
	for _, tt := range []struct {
		name     string
		policies []wire.Policy
		limit    int
		want     []string // of one resolution after the other
	}{
		{"RFC 5356 4.5.2: priorities in decreasing order", of(wire.Priority, 1, 3, 2), 9, []string{"bca", "bca"}},
		{"4.5.4: larger numbers are higher, to the greatest", of(wire.Priority, 0, math.MaxUint32, 1<<31), 9, []string{"bca"}},
		{"4.5.2: the highest only, if one is asked for", of(wire.Priority, 1, 3, 2), 1, []string{"b", "b"}},
		{"4.5.2: equal priorities take turns", of(wire.Priority, 7, 1, 7), 9, []string{"acb", "cab", "acb"}},

		{"5.1.2: loads in ascending order", of(wire.LeastUsed, percent(50), percent(10), 0, math.MaxUint32), 9, []string{"cbad", "cbad"}},
		{"5.1.2: the lowest only", of(wire.LeastUsed, percent(50), percent(10), 0), 2, []string{"cb", "cb"}},
		{"5.1.2: round robin among equals", of(wire.LeastUsed, 5, 5, 5), 9, []string{"abc", "bca", "cab", "abc"}},
		{"4.1.2: the head advances by one, however many are asked for", of(wire.LeastUsed, 5, 5, 5), 2, []string{"ab", "bc", "ca", "ab"}},
		{"5.1.2: each group of equals by itself", of(wire.LeastUsed, 9, 1, 9, 1, 9), 9, []string{"bdace", "dbcea", "bdeac", "dbace"}},
		{"5.1.2: a group that is reached in part", of(wire.LeastUsed, 9, 1, 9, 9), 2, []string{"ba", "bc", "bd", "ba"}},
		{"a group that is not reached keeps its place", of(wire.LeastUsed, 9, 1, 9), 1, []string{"b", "b", "b"}},

		// The sums before each resolution: 10 20 | 15 20 | 20 20: b has not led yet | 20 25 | 25 25: a led last.
		{
			"5.2.2: load + degradation counter * degradation",
			pairs(wire.LeastUsedWithDegradation, [2]uint32{10, 5}, [2]uint32{20, 5}), 1,
			[]string{"a", "a", "b", "a", "b"},
		},
		// 0 0 | 4 1 | 8 2 | 12 3: all that are returned count, not only the first.
		{
			"5.2.2: each that is returned counts",
			pairs(wire.LeastUsedWithDegradation, [2]uint32{0, 4}, [2]uint32{0, 1}), 2,
			[]string{"ab", "ba", "ba", "ba"},
		},
		// 0 0 | 4 0 | 4 1 | 4 2 | 4 3 | 4 4: a tie, a was marked first | 8 4 | 8 5.
		{
			"5.2.2: as many more as a request weighs less",
			pairs(wire.LeastUsedWithDegradation, [2]uint32{0, 4}, [2]uint32{0, 1}), 1,
			[]string{"a", "b", "b", "b", "b", "a", "b", "b"},
		},
		{
			"5.2.2: without degradation it is least used",
			pairs(wire.LeastUsedWithDegradation, [2]uint32{1, 0}, [2]uint32{1, 0}, [2]uint32{0, 0}), 9,
			[]string{"cab", "cba", "cab"},
		},
		// m = 2^32 - 1. 0 0 | m 0 | m m: a was marked first | 2m m | 2m 2m: sums beyond 32 bits.
		{
			"5.2.2: sums beyond the full load still count",
			pairs(wire.LeastUsedWithDegradation, [2]uint32{0, math.MaxUint32}, [2]uint32{0, math.MaxUint32}), 1,
			[]string{"a", "b", "a", "b", "a"},
		},

		{
			"5.3.1: the example, 50+10 before 50+50",
			pairs(wire.PriorityLeastUsed, [2]uint32{percent(50), percent(50)}, [2]uint32{percent(50), percent(10)}), 9,
			[]string{"ba", "ba"},
		},
		{
			"5.3.2: sums beyond 32 bits", pairs(wire.PriorityLeastUsed, [2]uint32{math.MaxUint32, math.MaxUint32},
				[2]uint32{math.MaxUint32, 1}, [2]uint32{1, 1}), 9,
			[]string{"cba"},
		},
		{
			"5.3.2: round robin among equal sums, and no counter",
			pairs(wire.PriorityLeastUsed, [2]uint32{1, 4}, [2]uint32{3, 2}, [2]uint32{5, 0}), 9,
			[]string{"abc", "bca", "cab"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := each(t, tt.policies...)
			checkOrders(t, s.selector(), tt.limit, tt.want...)
		})
	}
}

// RFC 5356 5.2.2: the counter is 0 after a registration, whether it changed anything or not.
func TestDegradationCounterIsReset(t *testing.T) {
	lud := func(load uint32) wire.Policy { return wire.LeastUsedWithDegradation(load, 10) }
	s := each(t, lud(0), lud(25))
	c := s.selector()
	s.add(t, 1, lud(0)) // before any resolution: nothing to reset
	checkOrders(t, c, 1, "a", "a", "a", "b")
	s.add(t, 1, lud(0))                           // the sums are 30 and 35
	checkOrders(t, c, 1, "a", "a", "a", "a", "b") // from 0, up to 40 against 35
	s.add(t, 2, lud(5))                           // 40 and 5
	checkOrders(t, c, 1, "b", "b", "b", "b", "a")
}

// A change of the pool that is no registration of its own resets no counter.
func TestDegradationCounterSurvivesChanges(t *testing.T) {
	lud := wire.LeastUsedWithDegradation(0, 10)
	s := each(t, lud, lud, lud)
	c := s.selector()
	checkOrders(t, c, 2, "ab") // 10 10 0
	s.setState(key(3), handlespace.Away)
	checkOrders(t, c, 1, "b") // equal, and a led last: 10 20
	s.add(t, 4, lud)
	checkOrders(t, c, 9, "dab")
}

// Two were selected, but one had no place in the response.
func TestWithdrawnWasNotSelected(t *testing.T) {
	s := each(t, wire.LeastUsedWithDegradation(0, 10), wire.LeastUsedWithDegradation(1, 10))
	c := s.selector()
	checkOrders(t, c, 2, "ab") // 10 11
	c.Withdraw(1)              // 10 1
	c.Withdraw(1)              // nobody more
	checkOrders(t, c, 1, "b")
}

func TestRankingFollowsChanges(t *testing.T) {
	s := each(t, of(wire.LeastUsed, 1, 2, 3)...)
	c := s.selector()
	checkOrders(t, c, 9, "abc")
	s.add(t, 3, wire.LeastUsed(0))
	checkOrders(t, c, 9, "cab")
	s.setState(key(1), handlespace.Away)
	checkOrders(t, c, 9, "cb")
	s.remove(key(3))
	checkOrders(t, c, 9, "b")
	s.add(t, 1, wire.LeastUsed(2)) // back: b was marked later
	checkOrders(t, c, 9, "ab", "ba")
}
