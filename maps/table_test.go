// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sort"
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

func filled(list []candidate) []uint16 {
	table := make([]uint16, SelectionSlots)
	fill(table, list)
	return table
}

func sizes(table []uint16) map[uint16]int {
	count := map[uint16]int{}
	for _, row := range table {
		count[row]++
	}
	return count
}

func TestFillSharesByWeight(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, list := range map[string][]candidate{
		"one element":            candidates(1, equal),
		"two, equal":             candidates(2, equal),
		"one, the least weight":  candidates(1, func(int) uint32 { return 1 }),
		"1000, equal":            candidates(1000, equal),
		"three, 1:2:3":           candidates(3, func(i int) uint32 { return uint32(i + 1) }),
		"weight 0 gets none":     candidates(3, func(i int) uint32 { return uint32(i) }),
		"one heavy, 999 light":   candidates(1000, func(i int) uint32 { return 1 + 999*uint32(1-min(i, 1)) }),
		"the greatest weights":   candidates(3, func(i int) uint32 { return 1<<32 - 1 - uint32(i) }),
		"greatest beside least":  candidates(2, func(i int) uint32 { return 1 + uint32(i)*(1<<32-2) }),
		"more than slots allows": candidates(100, func(i int) uint32 { return 1 + uint32(i/99)*(1<<32-2) }),
		"random":                 candidates(57, func(int) uint32 { return random.Uint32N(500) }),
	} {
		t.Run(name, func(t *testing.T) {
			total := 0.0
			for _, c := range list {
				total += float64(c.weight)
			}
			count := sizes(filled(list))
			if count[0] != 0 {
				t.Errorf("%d slots are empty", count[0])
			}
			for _, c := range list {
				share := SelectionSlots * float64(c.weight) / total
				if off := float64(count[c.row]) - share; off <= -1 || off >= 1 {
					t.Errorf("weight %d of %.0f: %d slots, want %.2f", c.weight, total, count[c.row], share)
				}
			}
		})
	}
}

func TestFillWithoutElementsIsEmpty(t *testing.T) {
	table := filled(candidates(5, equal))
	for _, list := range [][]candidate{nil, candidates(3, func(int) uint32 { return 0 })} {
		fill(table, list)
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

// One of n that comes or goes must move its own share, 1/n, and little else: up to 100 elements not
// more than that again, beyond not more than one slot in a hundred.
func TestFillMovesFewSlots(t *testing.T) {
	for _, n := range []int{2, 3, 10, 50, 100, 500, 1000} {
		list := candidates(n, equal)
		whole := filled(list)
		for _, gone := range []int{0, n / 2, n - 1} {
			rest := filled(slices.Delete(slices.Clone(list), gone, gone+1))
			moved := 0
			for slot := range whole {
				if whole[slot] != rest[slot] {
					moved++
				}
			}
			if limit := SelectionSlots/n + SelectionSlots/min(n, 100); moved > limit {
				t.Errorf("without element %d of %d: %d slots moved, want at most %d", gone, n, moved, limit)
			}
		}
	}
}

// oracle is the table as Maglev (Eisenbud et al. 2016, 3.4) describes it, with weights: element i
// may claim as many slots as its share of the weights gives, by largest remainder; its k-th claim
// comes in round ceil(k * heaviest / weight), and within a round the elements go by address.
func oracle(list []candidate) []uint16 {
	list = slices.Clone(list)
	sort.SliceStable(list, func(i, j int) bool {
		a, b := list[i].addr, list[j].addr
		if a.Addr() != b.Addr() {
			return a.Addr().Less(b.Addr())
		}
		return a.Port() < b.Port() || a.Port() == b.Port() && list[i].pe < list[j].pe
	})
	type claim struct{ round, element int }
	var claims []claim
	var heaviest int64
	for _, c := range list {
		heaviest = max(heaviest, int64(c.weight))
	}
	for i, quota := range oracleQuotas(list) {
		for k := int64(1); k <= quota; k++ {
			weight := int64(list[i].weight)
			claims = append(claims, claim{int(min((k*heaviest+weight-1)/weight, SelectionSlots+1)), i})
		}
	}
	sort.SliceStable(claims, func(i, j int) bool {
		a, b := claims[i], claims[j]
		return a.round < b.round || a.round == b.round && a.element < b.element
	})
	table := make([]uint16, SelectionSlots)
	wants := make([][]int, len(list))
	for i, c := range list {
		wants[i] = oraclePermutation(c)
	}
	for _, c := range claims {
		for table[wants[c.element][0]] != 0 {
			wants[c.element] = wants[c.element][1:]
		}
		table[wants[c.element][0]] = list[c.element].row
	}
	return table
}

func oracleQuotas(list []candidate) []int64 {
	total := new(big.Int)
	for _, c := range list {
		total.Add(total, big.NewInt(int64(c.weight)))
	}
	quotas := make([]int64, len(list))
	rests := make([]*big.Int, len(list))
	left := int64(SelectionSlots)
	for i, c := range list {
		q, r := new(big.Int).QuoRem(new(big.Int).Mul(big.NewInt(SelectionSlots), big.NewInt(int64(c.weight))), total, new(big.Int))
		quotas[i], rests[i] = q.Int64(), r
		left -= q.Int64()
	}
	for ; left > 0; left-- {
		best := 0
		for i := range rests {
			if rests[i].Cmp(rests[best]) > 0 {
				best = i
			}
		}
		quotas[best]++
		rests[best] = big.NewInt(-1)
	}
	return quotas
}

// oraclePermutation writes the whole order down: offset and skip come from FNV-1a of 128 bits (its
// prime is 2^88 + 0x13b) over address, port and PE identifier, each half stirred by MurmurHash3's
// last step for 64 bits.
func oraclePermutation(c candidate) []int {
	ip := c.addr.Addr().As16()
	data := binary.BigEndian.AppendUint32(ip[:], uint32(c.addr.Port()))
	data = binary.BigEndian.AppendUint32(data, c.pe)
	hash, _ := new(big.Int).SetString("6c62272e07bb014262b821756295c58d", 16)
	prime := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 88), big.NewInt(0x13b))
	mask := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1))
	for _, b := range data {
		hash.Xor(hash, big.NewInt(int64(b)))
		hash.And(hash.Mul(hash, prime), mask)
	}
	stir := func(k uint64) uint64 {
		for _, factor := range []uint64{0xff51afd7ed558ccd, 0xc4ceb9fe1a85ec53} {
			k ^= k >> 33
			k *= factor
		}
		return k ^ k>>33
	}
	high, low := stir(new(big.Int).Rsh(hash, 64).Uint64()), stir(new(big.Int).And(hash, new(big.Int).SetUint64(1<<64-1)).Uint64())
	offset, skip := int(high%SelectionSlots), int(low%(SelectionSlots-1))+1
	order := make([]int, SelectionSlots)
	for j := range order {
		order[j] = (offset + j*skip) % SelectionSlots
	}
	return order
}

func TestFillAgreesWithOracle(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{1, 2, 3, 7, 30, 100} {
		for name, weight := range map[string]func(int) uint32{
			"equal":  equal,
			"small":  func(int) uint32 { return 1 + random.Uint32N(9) },
			"skewed": func(i int) uint32 { return 1 << (i % 20) },
			"any":    func(int) uint32 { return 1 + random.Uint32N(1<<32-1) },
		} {
			t.Run(fmt.Sprintf("%d %s", n, name), func(t *testing.T) {
				list := candidates(n, weight)
				got, want := filled(list), oracle(list)
				for slot := range want {
					if got[slot] != want[slot] {
						t.Fatalf("slot %d: row %d, want %d", slot, got[slot], want[slot])
					}
				}
			})
		}
	}
}

// The same element must claim the same slots whatever its row is: gateways number rows alone.
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

func BenchmarkFill(b *testing.B) {
	for _, n := range []int{3, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			list, table := candidates(n, equal), make([]uint16, SelectionSlots)
			for b.Loop() {
				fill(table, list)
			}
		})
	}
}
