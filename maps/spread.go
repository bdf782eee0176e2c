// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/weir-lb/weir/bpf"
)

// Spread is how new flows choose from a service's selection table.
type Spread uint8

const (
	Consistent = Spread(bpf.WeirSpreadSPREAD_CONSISTENT) // by a keyed hash
	Turns      = Spread(bpf.WeirSpreadSPREAD_TURNS)      // one after the other, on each core by itself
	Random     = Spread(bpf.WeirSpreadSPREAD_RANDOM)
)

func (s Spread) String() string {
	switch s {
	case Consistent:
		return "consistent"
	case Turns:
		return "turns"
	case Random:
		return "random"
	}
	return fmt.Sprintf("spread-%d", uint8(s))
}

// turn is a candidate's place in the order: its k-th turn of n comes after (2k+1)/2n of the round.
type turn struct {
	row   uint16
	k2, n uint64
}

// fillTurns writes rounds of the candidates' turns into the table, each as often in a round as its weight
// says, evenly spread over it, and returns how many slots whole rounds have. When a round is longer than
// the table, one that is as long has shares within one slot. The rest of the table repeats the first round.
func fillTurns(table []uint16, candidates []candidate) (used int) {
	var round []turn
	for i, n := range turnsEach(candidates, len(table)) {
		for k := range n {
			round = append(round, turn{candidates[i].row, 2*k + 1, n})
		}
	}
	if len(round) == 0 {
		clear(table)
		return len(table)
	}
	slices.SortStableFunc(round, func(a, b turn) int { return cmp.Compare(a.k2*b.n, b.k2*a.n) })
	for i := range table {
		table[i] = round[i%len(round)].row
	}
	return len(table) / len(round) * len(round)
}

// turnsEach is how many turns each candidate has in a round of at most so many.
func turnsEach(candidates []candidate, most int) []uint64 {
	divisor, total := uint64(0), uint64(0)
	for _, c := range candidates {
		divisor = gcd(divisor, uint64(c.weight))
		total += uint64(c.weight)
	}
	turns := make([]uint64, len(candidates))
	if total == 0 {
		return turns
	}
	if total/divisor <= uint64(most) {
		for i, c := range candidates {
			turns[i] = uint64(c.weight) / divisor
		}
		return turns
	}
	return largestRemainders(candidates, total, uint64(most))
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// largestRemainders divides size in proportion to the weights, rounded down; what is left then goes to
// those that rounding took most from.
func largestRemainders(candidates []candidate, total, size uint64) []uint64 {
	turns := make([]uint64, len(candidates))
	byRest := make([]int, len(candidates))
	left := size
	for i, c := range candidates {
		turns[i] = size * uint64(c.weight) / total
		left -= turns[i]
		byRest[i] = i
	}
	rest := func(i int) uint64 { return size * uint64(candidates[i].weight) % total }
	slices.SortStableFunc(byRest, func(a, b int) int { return cmp.Compare(rest(b), rest(a)) })
	for _, i := range byRest[:left] {
		turns[i]++
	}
	return turns
}
