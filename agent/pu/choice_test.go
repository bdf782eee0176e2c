// SPDX-License-Identifier: Apache-2.0

package pu

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
)

// element serves at 127.0.0.1, at a port of its own.
func element(id wire.PEID, p wire.Policy) wire.PoolElement {
	return wire.PoolElement{
		ID: id, Home: 0xf00d, Life: 600, Policy: p,
		User: wire.Transport{Protocol: wire.ProtocolTCP, Port: 8000 + uint16(id), Addrs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}},
	}
}

func poolOf(t wire.PolicyType, elements ...wire.PoolElement) Pool {
	return Pool{Handle: "web", Policy: wire.Policy{Type: t}, Elements: elements}
}

func all(wire.PEID) bool { return true }

// choices are the identifiers of n choices in a row.
func choices(p Pool, n int, pass func(wire.PEID) bool) []wire.PEID {
	c, random := newChoice(p), rand.New(rand.NewPCG(1, 2))
	var ids []wire.PEID
	for range n {
		i := c.next(random, pass)
		if i < 0 {
			return ids
		}
		ids = append(ids, p.Elements[i].ID)
	}
	return ids
}

func TestChoiceInOrder(t *testing.T) {
	rr, wrr, prio, lu := wire.RoundRobin(), wire.WeightedRoundRobin, wire.Priority, wire.LeastUsed
	not := func(id wire.PEID) func(wire.PEID) bool { return func(o wire.PEID) bool { return o != id } }
	for _, test := range []struct {
		name string
		pool Pool
		pass func(wire.PEID) bool
		want []wire.PEID
	}{
		{"round robin begins with the first of the list", poolOf(rr.Type, element(7, rr), element(3, rr), element(5, rr)), all,
			[]wire.PEID{7, 3, 5, 7, 3, 5}},
		{"round robin without one", poolOf(rr.Type, element(7, rr), element(3, rr), element(5, rr)), not(3),
			[]wire.PEID{7, 5, 7, 5, 7, 5}},
		{"an unknown policy is taken as round robin", poolOf(0xb0001001, element(7, rr), element(3, rr)), all,
			[]wire.PEID{7, 3, 7, 3, 7, 3}},
		{"weighted round robin", poolOf(wire.PolicyWeightedRoundRobin, element(1, wrr(1)), element(2, wrr(2)), element(3, wrr(3))), all,
			[]wire.PEID{3, 2, 1, 3, 2, 3}},
		{"an element of another policy weighs 1", poolOf(wire.PolicyWeightedRoundRobin, element(1, rr), element(2, wrr(2))), all,
			[]wire.PEID{2, 1, 2, 2, 1, 2}},
		{"priority", poolOf(wire.PolicyPriority, element(1, prio(5)), element(2, prio(9)), element(3, prio(7))), all,
			[]wire.PEID{2, 2, 2, 2, 2, 2}},
		{"priority without the highest", poolOf(wire.PolicyPriority, element(1, prio(5)), element(2, prio(9)), element(3, prio(7))), not(2),
			[]wire.PEID{3, 3, 3, 3, 3, 3}},
		{"least used is in the registrar's order", poolOf(wire.PolicyLeastUsed, element(4, lu(1)), element(2, lu(0))), all,
			[]wire.PEID{4, 4, 4, 4, 4, 4}},
		{"nobody", poolOf(rr.Type), all, nil},
	} {
		if got := choices(test.pool, 6, test.pass); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestChoiceAtRandom(t *testing.T) {
	rnd, wrnd, rlu := wire.Random(), wire.WeightedRandom, wire.RandomizedLeastUsed
	for _, test := range []struct {
		name string
		pool Pool
		want [3]int // of 6000
	}{
		{"random", poolOf(wire.PolicyRandom, element(1, rnd), element(2, rnd), element(3, rnd)), [3]int{2000, 2000, 2000}},
		{"weighted", poolOf(wire.PolicyWeightedRandom, element(1, wrnd(1)), element(2, wrnd(2)), element(3, wrnd(3))), [3]int{1000, 2000, 3000}},
		{"by load", poolOf(wire.PolicyRandomizedLeastUsed, element(1, rlu(0xffffffff)), element(2, rlu(0x80000000)), element(3, rlu(0))),
			[3]int{0, 2000, 4000}},
		{"all fully loaded", poolOf(wire.PolicyRandomizedLeastUsed, element(1, rlu(0xffffffff)), element(2, rlu(0xffffffff)), element(3, rlu(0xffffffff))),
			[3]int{2000, 2000, 2000}},
	} {
		var got [3]int
		for _, id := range choices(test.pool, 6000, all) {
			got[id-1]++
		}
		for i := range got {
			if d := got[i] - test.want[i]; d < -160 || d > 160 { // above 4 standard deviations
				t.Errorf("%s: %v, want about %v", test.name, got, test.want)
			}
		}
	}
}
