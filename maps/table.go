// SPDX-License-Identifier: Apache-2.0

package maps

import (
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
	row    uint32 // index of its row in the elements map, what the slots hold
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
	ip := c.addr.Addr().As4()
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

// fill gives each slot of table a candidate's row, in shares of the weights: a candidate takes a
// turn whenever its share of the slots filled so far falls behind. Candidates of weight 0 get
// none; without candidates all slots are 0. The order of the candidates does not matter.
func fill(table []uint32, candidates []candidate) {
	clear(table)
	candidates = slices.DeleteFunc(slices.Clone(candidates), func(c candidate) bool { return c.weight == 0 })
	if len(candidates) == 0 {
		return
	}
	slices.SortFunc(candidates, func(a, b candidate) int {
		if c := a.addr.Compare(b.addr); c != 0 {
			return c
		}
		return int(int64(a.pe) - int64(b.pe))
	})
	size := uint32(len(table))
	orders := make([]permutation, len(candidates))
	heaviest := uint64(0)
	for i, c := range candidates {
		orders[i] = newPermutation(c, size)
		heaviest = max(heaviest, uint64(c.weight))
	}
	credits := make([]uint64, len(candidates))
	for filled := uint32(0); ; {
		for i, c := range candidates {
			for credits[i] += uint64(c.weight); credits[i] >= heaviest; credits[i] -= heaviest {
				orders[i].take(table, c.row)
				if filled++; filled == size {
					return
				}
			}
		}
	}
}

// take claims the next free slot in the permutation's order.
func (p *permutation) take(table []uint32, row uint32) {
	size := uint32(len(table))
	for table[p.next] != 0 {
		p.next = (p.next + p.skip) % size
	}
	table[p.next] = row
}
