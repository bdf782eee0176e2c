// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/policy"
	"github.com/weir-lb/weir/registrar/wire"
)

func seeded() *rand.Rand { return rand.New(rand.NewPCG(5356, 2008)) }

// checkFrequencies resolves often, and compares how often each order came with its probability. A count is binomial: it
// may be 5 standard deviations off, which a right one is less than once in a million times.
func checkFrequencies(t *testing.T, s space, limit int, want map[string]float64) {
	t.Helper()
	const n = 60_000
	c := s.selector()
	rnd, seen := seeded(), map[string]int{}
	for range n {
		seen[letters(c.Select(rnd, limit))]++
	}
	for order, probability := range want {
		bound := 5 * math.Sqrt(n*probability*(1-probability))
		if got := float64(seen[order]); math.Abs(got-n*probability) > bound {
			t.Errorf("%s came %.0f times in %d, want %.0f give or take %.0f", order, got, n, n*probability, bound)
		}
	}
	for order := range seen {
		if want[order] == 0 {
			t.Errorf("%s came, which cannot be", order)
		}
	}
}

func TestDraws(t *testing.T) {
	const full = math.MaxUint32
	for _, tt := range []struct {
		name     string
		policies []wire.Policy
		limit    int
		want     map[string]float64 // the probability of each possible order
	}{
		{
			"RFC 5356 4.3.2: random, one of three", of(same(wire.Random()), 0, 0, 0), 1,
			map[string]float64{"a": 1. / 3, "b": 1. / 3, "c": 1. / 3},
		},
		{
			"4.3.2: two of three, none twice", of(same(wire.Random()), 0, 0, 0), 2,
			map[string]float64{"ab": 1. / 6, "ac": 1. / 6, "ba": 1. / 6, "bc": 1. / 6, "ca": 1. / 6, "cb": 1. / 6},
		},
		{
			"4.4.2: the ratio of the weight to the sum", of(wire.WeightedRandom, 1, 2, 5), 1,
			map[string]float64{"a": 1. / 8, "b": 2. / 8, "c": 5. / 8},
		},
		{
			"4.4.2: then of those that are left", of(wire.WeightedRandom, 1, 2, 5), 9,
			map[string]float64{
				"abc": 1. / 8 * 2 / 7, "acb": 1. / 8 * 5 / 7, "bac": 2. / 8 * 1 / 6, "bca": 2. / 8 * 5 / 6,
				"cab": 5. / 8 * 1 / 3, "cba": 5. / 8 * 2 / 3,
			},
		},
		{"4.4.1: all weights 1 is random", of(wire.WeightedRandom, 1, 1), 9, map[string]float64{"ab": .5, "ba": .5}},
		{"3.2: weight 0 is never drawn", of(wire.WeightedRandom, 0, 1, 0), 9, map[string]float64{"b": 1}},
		{"3.2: nobody can serve", of(wire.WeightedRandom, 0, 0), 9, map[string]float64{"": 1}},
		{
			"4.4.4: weights of 32 bits", of(wire.WeightedRandom, full, full, full, full), 1,
			map[string]float64{"a": .25, "b": .25, "c": .25, "d": .25},
		},
		{ // unload 3, 1 and 4 of 8
			"5.4.1: the part of the unload", of(wire.RandomizedLeastUsed, full-3, full-1, full-4), 1,
			map[string]float64{"a": 3. / 8, "b": 1. / 8, "c": 4. / 8},
		},
		{
			"5.4.2: like WRAND", of(wire.RandomizedLeastUsed, percent(75), percent(25)), 9,
			map[string]float64{"ab": .25, "ba": .75},
		},
		{
			"5.4.1: a full one has no chance before others", of(wire.RandomizedLeastUsed, full, full-1, full), 9,
			map[string]float64{"bac": .5, "bca": .5},
		},
		{
			"all full: equal chances, not an empty pool", of(wire.RandomizedLeastUsed, full, full), 9,
			map[string]float64{"ab": .5, "ba": .5},
		},
	} {
		t.Run(tt.name, func(t *testing.T) { checkFrequencies(t, each(t, tt.policies...), tt.limit, tt.want) })
	}
}

func same(p wire.Policy) func(uint32) wire.Policy { return func(uint32) wire.Policy { return p } }

func TestDrawsFollowChanges(t *testing.T) {
	s := each(t, of(wire.WeightedRandom, 1, 2, 5)...)
	c := s.selector()
	c.Select(seeded(), 9)
	s.setState(key(3), handlespace.Away)
	checkFrequencies(t, s, 1, map[string]float64{"a": 1. / 3, "b": 2. / 3})
	if got := letters(c.Select(seeded(), 9)); len(got) != 2 {
		t.Errorf("%q with c away", got)
	}
	s.remove(key(1))
	if got := letters(c.Select(seeded(), 9)); got != "b" {
		t.Errorf("%q, want only b", got)
	}
}

func TestDrawsAreThoseOfTheSource(t *testing.T) {
	for _, p := range []wire.Policy{wire.Random(), wire.WeightedRandom(3), wire.RandomizedLeastUsed(7)} {
		s := each(t, slices.Repeat([]wire.Policy{p}, 20)...)
		run := func(seed uint64) (all string) {
			c := s.selector()
			rnd := rand.New(rand.NewPCG(seed, seed))
			for range 5 {
				all += letters(c.Select(rnd, 20)) + " "
			}
			return all
		}
		first, again, other := run(1), run(1), run(2)
		if first != again || first == other {
			t.Errorf("%v: the orders are not those of the source", p.Type)
		}
	}
}

// everyPolicy makes elements of each supported policy.
func everyPolicy(rnd *rand.Rand) map[string]func() wire.Policy {
	value := func() uint32 { // often equal, often extreme
		return []uint32{0, 1, 1, 2, math.MaxUint32 - 1, math.MaxUint32, math.MaxUint32, rnd.Uint32()}[rnd.IntN(8)]
	}
	return map[string]func() wire.Policy{
		"rr":    wire.RoundRobin,
		"wrr":   func() wire.Policy { return wire.WeightedRoundRobin(value()) },
		"rand":  wire.Random,
		"wrand": func() wire.Policy { return wire.WeightedRandom(value()) },
		"prio":  func() wire.Policy { return wire.Priority(value()) },
		"lu":    func() wire.Policy { return wire.LeastUsed(value()) },
		"lud":   func() wire.Policy { return wire.LeastUsedWithDegradation(value(), value()) },
		"plu":   func() wire.Policy { return wire.PriorityLeastUsed(value(), value()) },
		"rlu":   func() wire.Policy { return wire.RandomizedLeastUsed(value()) },
	}
}

// What holds of every policy, whatever happens to the pool.
func TestEveryOrder(t *testing.T) {
	rnd := seeded()
	for name, element := range everyPolicy(rnd) {
		t.Run(name, func(t *testing.T) {
			s := newSpace()
			c := s.follow(policy.New(element().Type))
			for range 2000 {
				id := wire.PEID(1 + rnd.Uint32N(12))
				switch there := s.Find(key(id)) != nil; {
				case !there || rnd.IntN(2) == 0:
					s.add(t, id, element())
				case rnd.IntN(2) == 0:
					s.remove(key(id))
				default:
					s.setState(key(id), handlespace.Away)
				}
				if p := s.pool(); p != nil {
					limit := rnd.IntN(15)
					checkOrder(t, p, c.Select(rnd, limit), limit)
				}
			}
		})
	}
}

func checkOrder(t *testing.T, p *handlespace.Pool, order []*handlespace.Element, limit int) {
	t.Helper()
	able := 0 // who is up and not of weight 0
	for e := range p.All() {
		if w, weighted := e.Policy.Weight(); e.State == handlespace.Up && (!weighted || w > 0) {
			able++
		}
	}
	if len(order) != min(limit, able) {
		t.Fatalf("%d asked for, %d able, %d given", limit, able, len(order))
	}
	seen := map[wire.PEID]bool{}
	for _, e := range order {
		now := p.Find(e.ID)
		if now == nil || now != e || now.State != handlespace.Up || seen[e.ID] || !slices.Equal(now.Policy.Data, e.Policy.Data) {
			t.Fatalf("%v is given: not there, not up, twice, or not as it is now", e.ID)
		}
		seen[e.ID] = true
	}
}
