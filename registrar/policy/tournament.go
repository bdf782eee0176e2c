// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"math"
	"math/bits"
	"unsafe"

	"github.com/weir-lb/weir/registrar/prefetch"
	"github.com/weir-lb/weir/registrar/wire"
)

// tournament is elements in order: first those of the lowest hi, of these those of the lowest lo, of these that of the lowest
// identifier. Each has its place by its slot; of each eight beside each other the first is noted, of each eight of those
// notes the first again, up to one. A change is one of a note only where the element is, was or gets the first, so that
// most are done with the lowest notes: the cost is that of one or two lines of memory whatever the number of elements, but
// for the first of all, of which each level has a note.
type tournament struct {
	levels [][]item   // the elements by slot, then the notes; the lengths are multiples of eight, but the last is one
	rest   contenders // of the last ahead; only its memory is of use
	coming [4]uint32  // slots of some that came near the top, the latest first
}

// item is an element in a tournament.
type item struct {
	hi, lo uint64
	id     wire.PEID
	slot   uint32 // does not count for the order
}

// eight is how many compete for a note.
const eight = 8

// nobody is the item of a free slot: behind all, since no hi is that high.
func nobody() item { return item{math.MaxUint64, math.MaxUint64, math.MaxUint32, math.MaxUint32} }

func (i *item) isNobody() bool { return i.hi == math.MaxUint64 }

// before is 1 or 0, and how it is found can not be mispredicted by a processor.
func (i *item) before(o *item) int {
	_, borrow := bits.Sub64(uint64(i.id), uint64(o.id), 0)
	_, borrow = bits.Sub64(i.lo, o.lo, borrow)
	_, borrow = bits.Sub64(i.hi, o.hi, borrow)
	return int(borrow)
}

// firstOf is which of eight is before the others.
func firstOf(g *[eight]item) int {
	a := 1 - g[0].before(&g[1])
	b := 3 - g[2].before(&g[3])
	c := 5 - g[4].before(&g[5])
	d := 7 - g[6].before(&g[7])
	a += (b - a) & -g[b%eight].before(&g[a%eight])
	c += (d - c) & -g[d%eight].before(&g[c%eight])
	return (a + (c-a)&-g[c%eight].before(&g[a%eight])) % eight
}

// group is the eight that the one at index at is of.
func (t *tournament) group(level int, at uint32) *[eight]item {
	from := at &^ (eight - 1)
	return (*[eight]item)(t.levels[level][from : from+eight])
}

// set puts i, of this slot, in the place of what had the slot before; nobody frees it.
func (t *tournament) set(slot uint32, i item) {
	t.grow(int(slot) + 1)
	t.levels[0][slot] = i
	at := slot
	for level := 1; level < len(t.levels); level++ {
		group := t.group(level-1, at)
		at /= eight
		note := &t.levels[level][at]
		switch {
		case i.before(note) == 1:
			*note = i
		case note.slot == slot:
			i = group[firstOf(group)]
			*note = i
			if level == len(t.levels)-near {
				t.fetch(i.slot)
			}
		default:
			return
		}
	}
}

// near is how many levels there are from the one whose notes come first soon, but seldom at once.
const near = 3

// fetch has at hand what a change of the slot needs, and notes who comes.
func (t *tournament) fetch(slot uint32) {
	if int(slot) >= len(t.levels[0]) { // nobody
		return
	}
	copy(t.coming[1:], t.coming[:])
	t.coming[0] = slot
	prefetch.Lines(unsafe.Pointer(t.group(0, slot)))
	prefetch.Lines(unsafe.Pointer(t.group(1, slot/eight)))
}

// soon are the slots of one that comes soon, and of one that was that some resolutions ago.
func (t *tournament) soon() (later, sooner uint32) { return t.coming[0], t.coming[len(t.coming)-1] }

// expect fetches what nearly every change of a slot needs.
func (t *tournament) expect(slot int) {
	if len(t.levels) > 1 && slot < len(t.levels[0]) {
		fetch(t.levels[0], slot)
		fetch(t.levels[1], slot/eight)
	}
}

// grow makes room for slots below n.
func (t *tournament) grow(n int) {
	if t.levels == nil {
		t.levels = [][]item{{nobody()}}
	}
	for level := 0; n > len(t.levels[level]); level++ {
		for len(t.levels[level])%eight != 0 || len(t.levels[level]) < n {
			t.levels[level] = append(t.levels[level], nobody())
		}
		if level == len(t.levels)-1 {
			t.levels = append(t.levels, []item{t.levels[level][0]})
		}
		n = len(t.levels[level]) / eight
	}
}

// first is the first of all, nobody if there is none.
func (t *tournament) first() item {
	if len(t.levels) == 0 {
		return nobody()
	}
	return t.levels[len(t.levels)-1][0]
}

// ahead appends the slots of the first few in order.
func (t *tournament) ahead(limit int, slots []uint32) []uint32 {
	first := t.first()
	if first.isNobody() || limit <= 0 {
		return slots
	}
	if limit == 1 {
		return append(slots, first.slot)
	}
	rest := append(t.rest[:0], contender{first, len(t.levels) - 1, 0})
	for n := 0; n < limit && len(rest) > 0; n++ {
		c := rest.pop()
		slots = append(slots, c.slot)
		t.losers(c, &rest)
	}
	t.rest = rest
	return slots
}

// losers are those that c's item was before on its way up to c.
func (t *tournament) losers(c contender, to *contenders) {
	for level := c.level - 1; level >= 0; level-- {
		c.at *= eight
		won := uint32(0)
		for at, i := range t.group(level, c.at) {
			if i.slot == c.slot {
				won = uint32(at)
			} else if !i.isNobody() {
				to.push(contender{i, level, c.at + uint32(at)})
			}
		}
		c.at += won
	}
}

// contender is the first of all below it.
type contender struct {
	item
	level int
	at    uint32
}

// contenders is a binary heap, the first of them at its top.
type contenders []contender

func (c *contenders) push(one contender) {
	*c = append(*c, one)
	h := *c
	at := len(h) - 1
	for ; at > 0 && one.before(&h[(at-1)/2].item) == 1; at = (at - 1) / 2 {
		h[at] = h[(at-1)/2]
	}
	h[at] = one
}

func (c *contenders) pop() contender {
	h := *c
	top, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	*c = h
	at := 0
	for next := 1; next < len(h); next = 2*at + 1 {
		if next+1 < len(h) {
			next += h[next+1].before(&h[next].item)
		}
		if last.before(&h[next].item) == 1 {
			break
		}
		h[at] = h[next]
		at = next
	}
	if len(h) > 0 {
		h[at] = last
	}
	return top
}
