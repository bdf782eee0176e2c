// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestTurnsInOrder(t *testing.T) {
	for _, tt := range []struct {
		weights []uint32
		round   string
	}{
		{[]uint32{1, 1, 1}, "[1 2 3]"},
		{[]uint32{7, 7}, "[1 2]"},
		{[]uint32{1, 3}, "[2 1 2 2]"},
		{[]uint32{2, 1, 1}, "[1 2 3 1]"},
		{[]uint32{20, 10, 10}, "[1 2 3 1]"},
		{[]uint32{5, 0, 1}, "[1 1 1 3 1 1]"},
	} {
		list := candidates(len(tt.weights), func(i int) uint32 { return tt.weights[i] })
		table := make([]uint16, MinSlots)
		used := fillTurns(table, list)
		want := []uint16{}
		for _, c := range tt.round {
			if c >= '0' && c <= '9' {
				want = append(want, uint16(c-'0'))
			}
		}
		if got := fmt.Sprint(table[:len(want)]); got != tt.round {
			t.Errorf("weights %v: a round is %s, want %s", tt.weights, got, tt.round)
		}
		if used%len(want) != 0 || used > len(table) || len(table)-used >= len(want) {
			t.Errorf("weights %v: %d slots are used, of rounds of %d", tt.weights, used, len(want))
		}
		for i, row := range table {
			if row != want[i%len(want)] {
				t.Fatalf("weights %v: slot %d has row %d, want %d", tt.weights, i, row, want[i%len(want)])
			}
		}
	}
}

// A round that is longer than the table is as long as it, with shares within one slot.
func TestTurnsOfAnyWeights(t *testing.T) {
	random := rand.New(rand.NewPCG(13, 14))
	for range 50 {
		list := candidates(1+random.IntN(300), func(int) uint32 { return 1 + random.Uint32N(1<<32-1) })
		table := make([]uint16, 1+random.IntN(5000))
		used := fillTurns(table, list)
		total := 0.0
		for _, c := range list {
			total += float64(c.weight)
		}
		count := sizes(table[:used])
		for _, c := range list {
			share := float64(used) * float64(c.weight) / total
			if off := float64(count[c.row]) - share; off <= -1 || off >= 1 {
				t.Fatalf("%d of %d slots, want %.2f", count[c.row], used, share)
			}
		}
	}
	table := []uint16{1, 2, 3}
	if used := fillTurns(table, nil); used != 3 || table[0] != 0 || table[2] != 0 {
		t.Errorf("without elements %d slots are used: %v", used, table)
	}
}

// Who chooses by turns chooses from whole rounds, whatever happened to the service before.
func TestSpreadOfService(t *testing.T) {
	m := newMaps(t)
	s := open(t, m, web())
	list := []Element{element(1, "10.0.0.1:80"), element(2, "10.0.0.2:80"), element(3, "10.0.0.3:80")}
	want := func(what string, spread Spread, slots uint32) {
		t.Helper()
		if _, is := service(t, m, web()); Spread(is.Spread) != spread || is.Slots != slots || s.Spread(web()) != spread {
			t.Errorf("%s: %s in %d slots, want %s in %d", what, Spread(is.Spread), is.Slots, spread, slots)
		}
	}
	apply := func(spread Spread, n int) {
		t.Helper()
		must(t, s.ApplyAll([]Selection{{web(), list[:n], spread}}))
	}
	apply(Consistent, 3)
	want("consistent", Consistent, SelectionSlots)
	apply(Turns, 3)
	want("three take turns", Turns, 65535)
	apply(Turns, 2)
	want("two take turns", Turns, 65536)
	must(t, s.Apply(web(), list))
	want("three again", Turns, 65535)
	must(t, s.Configure(web(), Options{Slots: 1000}))
	want("three, of 1,000 slots", Turns, 999)
	again := open(t, m, web())
	must(t, again.Configure(web(), Options{Slots: 1000}))
	want("after a restart", Turns, 999)
	must(t, again.Configure(web(), Options{}))
	s = again
	want("as before", Turns, 65535)
	apply(Random, 2)
	want("at random", Random, 65536)
	apply(Consistent, 2)
	want("consistent again", Consistent, SelectionSlots)
}

func TestSpreadNames(t *testing.T) {
	for spread, want := range map[Spread]string{Consistent: "consistent", Turns: "turns", Random: "random", 77: "spread-77"} {
		if spread.String() != want {
			t.Errorf("got %s, want %s", spread, want)
		}
	}
}
