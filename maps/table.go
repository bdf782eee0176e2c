// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"net/netip"
	"slices"
)

// SelectionSlots is the size of a selection table: a prime, well above a hundred times the
// number of elements that a pool commonly has.
const SelectionSlots = 65537

// candidate is an element that takes new flows, as the table's builder sees it.
type candidate struct {
	row    uint16 // index of its row in the elements map, what the slots hold
	pe     uint32
	addr   netip.AddrPort
	weight uint32
}

// permutation is the order in which a candidate asks for slots (Maglev, Eisenbud et al. 2016,
// 3.4): offset, offset+skip, … modulo the table's size. It depends on the element alone, so
// that gateways with the same elements agree and an element's coming or going moves few slots.
type permutation struct {
	next, skip uint32
}

func newPermutation(c candidate, size uint32) permutation {
	h := fnv.New128a()
	ip := c.addr.Addr().As16()
	h.Write(ip[:])
	_ = binary.Write(h, binary.BigEndian, []uint32{uint32(c.addr.Port()), c.pe})
	sum := mix(h.Sum(nil))
	return permutation{next: uint32(sum[0] % uint64(size)), skip: uint32(sum[1]%uint64(size-1)) + 1}
}

// mix spreads FNV's weak low bits (the finaliser of MurmurHash3).
func mix(sum []byte) [2]uint64 {
	var out [2]uint64
	for i := range out {
		k := binary.BigEndian.Uint64(sum[8*i:])
		k = (k ^ k>>33) * 0xff51afd7ed558ccd
		k = (k ^ k>>33) * 0xc4ceb9fe1a85ec53
		out[i] = k ^ k>>33
	}
	return out
}

// byElement orders candidates by what they are, and not by who numbered their rows.
func byElement(a, b candidate) int {
	return cmp.Or(a.addr.Compare(b.addr), cmp.Compare(a.pe, b.pe))
}

// fill gives each slot of table a candidate's row, to each its share of the weights rounded up or
// down; without any weight all slots are 0. Candidates take turns as often as their weights say,
// until they have their quota. The order of the candidates does not matter.
func fill(table []uint16, candidates []candidate) {
	clear(table)
	candidates = slices.SortedFunc(slices.Values(candidates), byElement)
	left := quotas(candidates, uint64(len(table)))
	orders := make([]permutation, len(candidates))
	heaviest := uint64(0)
	for i, c := range candidates {
		orders[i] = newPermutation(c, uint32(len(table)))
		heaviest = max(heaviest, uint64(c.weight))
	}
	credits := make([]uint64, len(candidates))
	// The heaviest takes one slot a round, so that after as many rounds as slots there is nothing
	// left but single slots that rounding gave to candidates with next to no weight.
	for round := 0; round < len(table); round++ {
		turns := 0
		for i, c := range candidates {
			if left[i] == 0 {
				continue
			}
			turns++
			if credits[i] += uint64(c.weight); credits[i] >= heaviest {
				credits[i] -= heaviest
				left[i]--
				orders[i].take(table, c.row)
			}
		}
		if turns == 0 {
			return
		}
	}
	for i, c := range candidates {
		for ; left[i] > 0; left[i]-- {
			orders[i].take(table, c.row)
		}
	}
}

// quotas divides size slots in proportion to the weights; what rounding down leaves goes to the
// largest remainders. All are 0 when all weights are.
func quotas(candidates []candidate, size uint64) []uint64 {
	total := uint64(0) // below 2^46: 2^14 rows of 32 bits
	for _, c := range candidates {
		total += uint64(c.weight)
	}
	shares := make([]uint64, len(candidates))
	if total == 0 {
		return shares
	}
	left := size
	byRest := make([]int, len(candidates))
	for i, c := range candidates {
		shares[i] = size * uint64(c.weight) / total
		left -= shares[i]
		byRest[i] = i
	}
	rest := func(i int) uint64 { return size * uint64(candidates[i].weight) % total }
	slices.SortStableFunc(byRest, func(a, b int) int { return cmp.Compare(rest(b), rest(a)) })
	for _, i := range byRest[:left] {
		shares[i]++
	}
	return shares
}

// take claims the next free slot in the permutation's order.
func (p *permutation) take(table []uint16, row uint16) {
	size := uint32(len(table))
	for table[p.next] != 0 {
		p.next = (p.next + p.skip) % size
	}
	table[p.next] = row
}
