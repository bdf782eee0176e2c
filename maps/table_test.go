// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

// candidates are n elements 10.1.x.y:8080 with rows from 1 on and weights by weight(i).
func candidates(n int, weight func(i int) uint32) []candidate {
	list := make([]candidate, n)
	for i := range list {
		addr := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		list[i] = candidate{row: uint16(i + 1), pe: uint32(1000 + i), addr: netip.AddrPortFrom(addr, 8080), weight: weight(i)}
	}
	return list
}

func equal(int) uint32 { return 1 }

func filled(list []candidate) []uint16 { return filledOf(SelectionSlots, list) }

func filledOf(slots int, list []candidate) []uint16 {
	table := make([]uint16, slots)
	new(tableBuilder).fill(table, list)
	return table
}

func sizes(table []uint16) map[uint16]int {
	count := map[uint16]int{}
	for _, row := range table {
		count[row]++
	}
	return count
}

// room is by how many slots a share may be off: less than one, until there are so many elements that
// the square of their number is half the slots, and the more from there on.
func room(slots, n int, share float64) float64 {
	crowded := min(max(float64(n*n)/float64(slots)-0.5, 0), 1)
	return 1 + 1.25*crowded*math.Sqrt(share)
}

func TestFillSharesByWeight(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, list := range map[string][]candidate{
		"one element":            candidates(1, equal),
		"two, equal":             candidates(2, equal),
		"181, equal":             candidates(181, equal),
		"182, equal":             candidates(182, equal),
		"300, equal":             candidates(300, equal),
		"1000, equal":            candidates(1000, equal),
		"5000, equal":            candidates(5000, equal),
		"three, 1:2:3":           candidates(3, func(i int) uint32 { return uint32(i + 1) }),
		"weight 0 gets none":     candidates(3, func(i int) uint32 { return uint32(i) }),
		"one heavy, 999 light":   candidates(1000, func(i int) uint32 { return 1 + 999*uint32(1-min(i, 1)) }),
		"the greatest weights":   candidates(3, func(i int) uint32 { return 1<<32 - 1 - uint32(i) }),
		"greatest beside least":  candidates(2, func(i int) uint32 { return 1 + uint32(i)*(1<<32-2) }),
		"more than slots allows": candidates(100, func(i int) uint32 { return 1 + uint32(i/99)*(1<<32-2) }),
		"random":                 candidates(57, func(int) uint32 { return random.Uint32N(500) }),
		"random, many":           candidates(700, func(int) uint32 { return random.Uint32N(500) }),
	} {
		for _, slots := range []int{MinSlots, SelectionSlots} {
			t.Run(fmt.Sprintf("%s, %d slots", name, slots), func(t *testing.T) {
				wantShares(t, list, filledOf(slots, list))
			})
		}
	}
}

func TestFillLargestTable(t *testing.T) {
	list := candidates(1000, func(i int) uint32 { return uint32(i + 1) })
	wantShares(t, list, filledOf(MaxSlots, list))
}

func wantShares(t *testing.T, list []candidate, table []uint16) {
	t.Helper()
	total, n := 0.0, 0
	for _, c := range list {
		total += float64(c.weight)
		n += int(min(c.weight, 1))
	}
	count := sizes(table)
	if count[0] != 0 {
		t.Errorf("%d slots are empty", count[0])
	}
	for _, c := range list {
		share := float64(len(table)) * float64(c.weight) / total
		if off := math.Abs(float64(count[c.row]) - share); off >= room(len(table), n, share) {
			t.Fatalf("weight %d of %.0f: %d slots, want %.2f ± %.2f", c.weight, total, count[c.row], share, room(len(table), n, share))
		}
	}
}

func TestFillWithoutElementsIsEmpty(t *testing.T) {
	table, b := filled(candidates(5, equal)), new(tableBuilder)
	for _, list := range [][]candidate{nil, candidates(3, func(int) uint32 { return 0 })} {
		b.fill(table, list)
		if count := sizes(table); count[0] != SelectionSlots {
			t.Errorf("%d candidates of weight 0: %d slots are empty, want all", len(list), count[0])
		}
	}
}

func TestFillDoesNotDependOnOrder(t *testing.T) {
	list := candidates(40, func(i int) uint32 { return uint32(i%7 + 1) })
	want := filled(list)
	random := rand.New(rand.NewPCG(3, 4))
	for range 5 {
		random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		if !slices.Equal(filled(list), want) {
			t.Fatal("another order of the elements gives another table")
		}
	}
}

// The same elements must have the same table whatever elements there were before.
func TestFillDoesNotDependOnHistory(t *testing.T) {
	list := candidates(100, func(i int) uint32 { return uint32(i%3 + 1) })
	table, b := make([]uint16, SelectionSlots), new(tableBuilder)
	for _, n := range []int{100, 3, 50, 1, 99} {
		b.fill(table, list[:n])
		if !slices.Equal(table, filled(list[:n])) {
			t.Errorf("%d elements: another table than of a builder that never built one", n)
		}
	}
}

// The same element must have the same slots whatever its row is: gateways number rows alone.
func TestFillDoesNotDependOnRows(t *testing.T) {
	list := candidates(10, equal)
	renumbered := slices.Clone(list)
	for i := range renumbered {
		renumbered[i].row += 500
	}
	got, want := filled(renumbered), filled(list)
	for slot := range want {
		if got[slot] != want[slot]+500 {
			t.Fatalf("slot %d: row %d, want %d", slot, got[slot], want[slot]+500)
		}
	}
}

func movedSlots(a, b []uint16) (moved int) {
	for slot := range a {
		if a[slot] != b[slot] {
			moved++
		}
	}
	return moved
}

// One of n equal elements that comes or goes moves at most 2/n of the slots, for every n.
func TestFillMovesFewSlots(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	pe := random.Perm(1000)
	list := candidates(1000, equal)
	for i := range list {
		list[i].pe = uint32(pe[i])
	}
	b := new(tableBuilder)
	before, now := make([]uint16, SelectionSlots), make([]uint16, SelectionSlots)
	b.fill(before, list[:1])
	for n := 2; n <= len(list); n++ {
		b.fill(now, list[:n])
		if moved := movedSlots(before, now); moved*n > 2*SelectionSlots {
			t.Errorf("the last of %d came: %d slots moved, want at most %d", n, moved, 2*SelectionSlots/n)
		}
		before, now = now, before
	}
}

// An element of any weight moves at most twice its share, and its neighbours' roundings.
func TestFillMovesFewSlotsByWeight(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	for range 30 {
		n := 2 + random.IntN(999)
		list := candidates(n, func(int) uint32 { return 1 + random.Uint32N(100) })
		total := 0
		for _, c := range list {
			total += int(c.weight)
		}
		whole := filled(list)
		for range 3 {
			gone := random.IntN(n)
			moved := movedSlots(whole, filled(slices.Delete(slices.Clone(list), gone, gone+1)))
			if limit := 2*SelectionSlots*int(list[gone].weight)/total + n/2; moved > limit {
				t.Errorf("without one of weight %d of %d, of %d elements: %d slots moved, want at most %d", list[gone].weight, total, n, moved, limit)
			}
		}
	}
}

func BenchmarkFill(b *testing.B) {
	for _, n := range []int{3, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			list, table, builder := candidates(n, equal), make([]uint16, SelectionSlots), new(tableBuilder)
			for b.Loop() {
				builder.fill(table, list)
			}
		})
	}
}
