// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
)

// share is how many slots an asker may have.
type share struct{ least, most int }

// aim sets the targets: as close to what each has as its share allows, and as many as there are slots.
func (b *tableBuilder) aim(total uint64) {
	shares := make([]share, len(b.askers))
	for i := range b.askers {
		shares[i] = b.share(&b.askers[i], total)
	}
	// All loads are raised or lowered by the same, in fractions of a slot, until the sum is right.
	sum := func(by int64) (sum int) {
		for i := range b.askers {
			a := &b.askers[i]
			a.target = min(max(a.load+int((by+int64(uint32(a.luck)))>>32), shares[i].least), shares[i].most)
			sum += a.target
		}
		return sum
	}
	low, high := -int64(MaxSlots)<<32, int64(MaxSlots)<<32
	for low+1 < high {
		if middle := (low + high) / 2; sum(middle) < len(b.first) {
			low = middle
		} else {
			high = middle
		}
	}
	missing := len(b.first) - sum(low)
	for i := range b.askers { // those that the last step raises: one, but for equal fractions
		a := &b.askers[i]
		if before := a.target; missing > 0 {
			a.target = min(max(a.load+int((high+int64(uint32(a.luck)))>>32), shares[i].least), shares[i].most)
			missing -= a.target - before
		}
	}
}

// share is the asker's part of the slots, rounded down or up. Many elements with few slots each have
// more room: to keep their shares exact, one that comes or goes would have to move slots between
// others, more than its own. It begins where two elements share fewer than two slots of chance
// (the square of their number is half the slots), and grows to one and a quarter of the share's root.
func (b *tableBuilder) share(a *asker, total uint64) share {
	slots, n := uint64(len(b.first)), uint64(len(b.askers))
	whole, rest := slots*uint64(a.weight)/total, slots*uint64(a.weight)%total
	exact := share{int(whole), int(whole)}
	if rest > 0 {
		exact.most++
	}
	crowded := min(max(n*n<<16/slots, 1<<15)-1<<15, 1<<16) // in 2^-16, as what follows
	part := whole<<16 | rest<<16/total
	root := uint64(math.Sqrt(float64(part << 16)))
	room := int64(root * crowded >> 16 * 5 / 4)
	dither := int64(uint16(a.luck >> 32)) // so that not all bounds move at a time when an element comes
	return share{
		least: max(0, min(exact.least, int((int64(part)-room+dither)>>16))),
		most:  max(exact.most, int((int64(part)+room+dither)>>16)),
	}
}

// giveUp takes from those that have more than they shall have the slots that they asked for last.
func (b *tableBuilder) giveUp() (free []int) {
	late := make([]lateSlots, len(b.askers))
	for i, a := range b.askers {
		late[i] = lateSlots{first: b.first, over: max(0, a.load-a.target)}
	}
	for slot, first := range b.first {
		switch l := &late[uint16(first)]; {
		case len(l.slots) < l.over:
			heap.Push(l, slot)
		case l.over > 0 && first > b.first[l.slots[0]]:
			l.slots[0] = slot
			heap.Fix(l, 0)
		}
	}
	for i, l := range late {
		b.askers[i].load -= len(l.slots)
		free = append(free, l.slots...)
	}
	return free
}

// lateSlots is a heap of an asker's slots, the one that it asked for first on top.
type lateSlots struct {
	first []uint64
	slots []int
	over  int // how many there are to be
}

func (l *lateSlots) Len() int           { return len(l.slots) }
func (l *lateSlots) Less(i, j int) bool { return l.first[l.slots[i]] < l.first[l.slots[j]] }
func (l *lateSlots) Swap(i, j int)      { l.slots[i], l.slots[j] = l.slots[j], l.slots[i] }
func (l *lateSlots) Push(slot any)      { l.slots = append(l.slots, slot.(int)) }
func (l *lateSlots) Pop() any           { return nil } // never asked for

// place gives the free slots to those that have too few, each as likely as it has room. Who is given
// more than that keeps those drawn best; the others are drawn for again.
func (b *tableBuilder) place(free []int) {
	type draw struct {
		slot, to int
		by       uint64
	}
	for round := 1; len(free) > 0; round++ {
		for i, a := range b.askers {
			b.odds[i] = uint64(max(0, a.target-a.load))
		}
		draws := make([]draw, len(free))
		for i, slot := range free {
			to, by := b.rendezvous(slot, round)
			draws[i] = draw{slot, to, by}
		}
		slices.SortFunc(draws, func(x, y draw) int {
			return cmp.Or(cmp.Compare(x.to, y.to), cmp.Compare(x.by, y.by), cmp.Compare(x.slot, y.slot))
		})
		free = free[:0]
		for _, d := range draws {
			if a := &b.askers[d.to]; a.load < a.target {
				a.load++
				b.first[d.slot] = uint64(d.to)
			} else {
				free = append(free, d.slot)
			}
		}
	}
}
