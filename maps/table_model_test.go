// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// model is a selection table by its definition, step by step, without regard to speed:
//
//  1. The elements, in the order of address, port and PE identifier, each have two numbers, id and luck.
//     In a time of 2^47 an element of weight w out of W asks for slots every 2^47 W / (5 slots w), first at
//     the luck's part of that. A slot is whose who asks first.
//  2. A slot that nobody asked for is drawn for: for each an exponentially distributed number, over its
//     weight, and the least has it.
//  3. Each has a least and a most that it shall have. What it has is brought between them; then all are
//     given one more in the order of who lacks most, until there are as many as slots.
//  4. Who has more than that gives up those that it asked for last.
//  5. What was given up is drawn for among those that lack some, in proportion to what they lack; they keep
//     what they drew best, and the rest is drawn for again.
type model struct {
	slots    int
	elements []modelElement
	total    *big.Int
	owner    []int    // of each slot
	since    []uint64 // when it was asked for
}

type modelElement struct {
	candidate
	id, luck    uint64
	least, most int
	have, shall int
}

func modelTable(slots int, list []candidate) []uint16 {
	m := &model{slots: slots, total: new(big.Int), owner: make([]int, slots), since: make([]uint64, slots)}
	for _, c := range list {
		if c.weight > 0 {
			id, luck := modelNumbers(c)
			m.elements = append(m.elements, modelElement{candidate: c, id: id, luck: luck})
			m.total.Add(m.total, big.NewInt(int64(c.weight)))
		}
	}
	slices.SortFunc(m.elements, func(a, b modelElement) int {
		return cmp.Or(a.addr.Addr().Compare(b.addr.Addr()), cmp.Compare(a.addr.Port(), b.addr.Port()), cmp.Compare(a.pe, b.pe))
	})
	m.asked()
	m.bounds()
	m.targets()
	m.corrected()
	table := make([]uint16, slots)
	for slot, owner := range m.owner {
		table[slot] = m.elements[owner].row
	}
	return table
}

// modelNumbers come from FNV-1a of 128 bits (its prime is 2^88 + 0x13b) over address, port and PE
// identifier, each half stirred by MurmurHash3's last step for 64 bits.
func modelNumbers(c candidate) (id, luck uint64) {
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
	half := new(big.Int).And(hash, new(big.Int).SetUint64(1<<64-1))
	return stir(new(big.Int).Rsh(hash, 64).Uint64()), stir(half.Uint64())
}

func stir(k uint64) uint64 {
	for _, factor := range []uint64{0xff51afd7ed558ccd, 0xc4ceb9fe1a85ec53} {
		k ^= k >> 33
		k *= factor
	}
	return k ^ k>>33
}

// asked is steps 1 and 2.
func (m *model) asked() {
	type ask struct {
		at      uint64
		element int
		slot    uint64
	}
	var asks []ask
	for i, e := range m.elements {
		step := new(big.Int).Lsh(m.total, 47)
		step.Quo(step, new(big.Int).Mul(big.NewInt(5*int64(m.slots)), big.NewInt(int64(e.weight))))
		if step.Cmp(new(big.Int).Lsh(big.NewInt(1), 48)) > 0 {
			continue
		}
		first := new(big.Int).Mul(new(big.Int).SetUint64(e.luck), step)
		at := first.Rsh(first, 64).Uint64()
		for k := uint64(0); at < 1<<47; k++ {
			number := stir(e.id + (k/2+1)*0x9e3779b97f4a7c15)
			if k%2 == 0 {
				number >>= 32
			}
			asks = append(asks, ask{at, i, number & 0xffffffff * uint64(m.slots) >> 32})
			at += step.Uint64()
		}
	}
	slices.SortFunc(asks, func(a, b ask) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.element, b.element)) })
	for slot := range m.owner {
		m.owner[slot] = -1
	}
	for _, a := range asks {
		if m.owner[a.slot] < 0 {
			m.owner[a.slot], m.since[a.slot] = a.element, a.at
		}
	}
	for slot, owner := range m.owner {
		if owner < 0 {
			m.owner[slot], _ = m.drawn(slot, 0, func(e modelElement) int { return int(e.weight) })
			m.since[slot] = 1<<47 + uint64(slot)
		}
		m.elements[m.owner[slot]].have++
	}
}

// drawn is who wins a slot in a round of drawing, and with what number.
func (m *model) drawn(slot, round int, weight func(modelElement) int) (winner int, number *big.Int) {
	var best *big.Rat
	for i, e := range m.elements {
		if weight(e) == 0 {
			continue
		}
		x := modelExponential(stir(stir(uint64(slot)*65536+uint64(round)+1) ^ e.id))
		if by := new(big.Rat).SetFrac(x, big.NewInt(int64(weight(e)))); best == nil || by.Cmp(best) < 0 {
			winner, number, best = i, x, by
		}
	}
	return winner, number
}

// modelExponential is minus the binary logarithm of h / 2^64, in 2^-24: with h = 2^k (1+f) that is
// 64 - k - log2(1+f), and of the logarithm f + 11/32 f (1-f), each part of 24 bits, rounded down.
func modelExponential(h uint64) *big.Int {
	k := new(big.Int).SetUint64(h|1).BitLen() - 1
	f := new(big.Int).SetUint64(h)
	f.Lsh(f, uint(64-k)).And(f, new(big.Int).SetUint64(1<<64-1)).Rsh(f, 40)
	one := big.NewInt(1 << 24)
	curve := new(big.Int).Mul(f, new(big.Int).Sub(one, f))
	curve.Rsh(curve, 24).Mul(curve, big.NewInt(11)).Rsh(curve, 5)
	log := new(big.Int).Mul(big.NewInt(int64(64-k)), one)
	return log.Sub(log, f).Sub(log, curve)
}

// bounds is the first half of step 3: a share s is rounded down or up. When the square of the number of
// elements is more than half the slots, there is a room r beside it, of up to 5/4 of the root of s, and the
// bounds are s - r + d and s + r + d, rounded down, where d below 1 is a part of the luck.
func (m *model) bounds() {
	n, slots := int64(len(m.elements)), int64(m.slots)
	crowded := min(max(n*n*65536/slots-32768, 0), 65536)
	for i := range m.elements {
		e := &m.elements[i]
		share := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(slots), big.NewInt(int64(e.weight))), m.total)
		whole := new(big.Int).Quo(share.Num(), share.Denom()).Int64()
		e.least, e.most = int(whole), int(whole)
		if !share.IsInt() {
			e.most++
		}
		fine := new(big.Int).Lsh(share.Num(), 16) // in 2^-16
		fine.Quo(fine, share.Denom())
		root := new(big.Int).Sqrt(new(big.Int).Lsh(fine, 16)).Int64()
		r, d := root*crowded/65536*5/4, int64(e.luck>>32&0xffff)
		e.least = max(0, min(e.least, int(floorDiv(fine.Int64()-r+d, 65536))))
		e.most = max(e.most, int(floorDiv(fine.Int64()+r+d, 65536)))
	}
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// targets is the second half.
func (m *model) targets() {
	left := m.slots
	for i := range m.elements {
		m.elements[i].shall = m.elements[i].least
		left -= m.elements[i].least
	}
	for ; left > 0; left-- {
		best, lacks := -1, int64(0)
		for i, e := range m.elements {
			if e.shall == e.most {
				continue
			}
			// By how much all must be raised until it is due another one.
			due := int64(e.shall+1-e.have)<<32 - int64(e.luck&0xffffffff)
			if best < 0 || due < lacks {
				best, lacks = i, due
			}
		}
		m.elements[best].shall++
	}
}

// corrected is steps 4 and 5.
func (m *model) corrected() {
	var free []int
	for i := range m.elements {
		var own []int
		for slot, owner := range m.owner {
			if owner == i {
				own = append(own, slot)
			}
		}
		slices.SortFunc(own, func(a, b int) int { return cmp.Compare(m.since[a], m.since[b]) })
		for _, slot := range own[min(len(own), m.elements[i].shall):] {
			m.owner[slot] = -1
			free = append(free, slot)
			m.elements[i].have--
		}
	}
	for round := 1; len(free) > 0; round++ {
		free = m.deal(free, round)
	}
}

// deal is a round of step 5; it returns what was drawn in vain.
func (m *model) deal(free []int, round int) (again []int) {
	lacks := func(e modelElement) int { return e.shall - e.have }
	type draw struct {
		slot   int
		number *big.Int
	}
	drawn := make([][]draw, len(m.elements))
	for _, slot := range free {
		winner, number := m.drawn(slot, round, lacks)
		drawn[winner] = append(drawn[winner], draw{slot, number})
	}
	for i, draws := range drawn {
		slices.SortFunc(draws, func(a, b draw) int { return cmp.Or(a.number.Cmp(b.number), cmp.Compare(a.slot, b.slot)) })
		for _, d := range draws {
			if lacks(m.elements[i]) == 0 {
				again = append(again, d.slot)
				continue
			}
			m.owner[d.slot] = i
			m.elements[i].have++
		}
	}
	return again
}

func TestFillAgreesWithModel(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, size := range []struct{ slots, n int }{
		{MinSlots, 1}, {MinSlots, 2}, {MinSlots, 11}, {MinSlots, 40}, {1000, 3}, {1000, 60}, {4093, 30}, {4093, 200}, {SelectionSlots, 7}, {20000, 100},
	} {
		for name, weight := range map[string]func(int) uint32{
			"equal":  equal,
			"small":  func(int) uint32 { return random.Uint32N(9) },
			"skewed": func(i int) uint32 { return 1 << (i % 32) },
			"any":    func(int) uint32 { return 1 + random.Uint32N(1<<32-1) },
		} {
			t.Run(fmt.Sprintf("%d %s in %d", size.n, name, size.slots), func(t *testing.T) {
				list := candidates(size.n, weight)
				list[0].weight = max(list[0].weight, 1)
				got, want := filledOf(size.slots, list), modelTable(size.slots, list)
				for slot := range want {
					if got[slot] != want[slot] {
						t.Fatalf("slot %d: row %d, want %d", slot, got[slot], want[slot])
					}
				}
			})
		}
	}
}
