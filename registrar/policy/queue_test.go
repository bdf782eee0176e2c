// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
)

func compareItems(a, b item) int {
	return cmp.Or(cmp.Compare(a.hi, b.hi), cmp.Compare(a.lo, b.lo), cmp.Compare(a.id, b.id))
}

// A queue that grows to thousands, is changed all over, and shrinks in all orders holds what a sorted slice holds.
func TestQueueIsASortedList(t *testing.T) {
	for seed := range uint64(6) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var q queue
		var list []item
		some := func() item { // often equal but for the last
			return item{hi: rnd.Uint64N(1 + seed*40), lo: rnd.Uint64N(1 + seed), id: wire.PEID(rnd.Uint32()), slot: rnd.Uint32()}
		}
		add := func(i item) {
			if at, found := slices.BinarySearchFunc(list, i, compareItems); !found {
				q.insert(i)
				list = slices.Insert(list, at, i)
			}
		}
		drop := func(at int) {
			q.remove(list[at])
			list = slices.Delete(list, at, at+1)
		}
		for range 4000 {
			add(some())
		}
		checkQueue(t, &q, list)
		for range 3000 { // a third each
			switch at := rnd.IntN(len(list)); rnd.IntN(3) {
			case 0:
				add(some())
			case 1:
				drop(at)
			case 2:
				near := list[at]
				near.id += wire.PEID(rnd.IntN(3))
				if _, found := slices.BinarySearchFunc(list, near, compareItems); !found {
					q.replace(list[at], near)
					list[at] = near
					slices.SortFunc(list, compareItems)
				}
			}
		}
		checkQueue(t, &q, list)
		for len(list) > 0 {
			drop([]int{0, len(list) - 1, len(list) / 2, rnd.IntN(len(list))}[seed%4])
			if len(list)%300 == 0 {
				checkQueue(t, &q, list)
			}
		}
		add(some())
		checkQueue(t, &q, list)
	}
}

func checkQueue(t *testing.T, q *queue, list []item) {
	t.Helper()
	at := q.begin()
	for _, want := range list {
		if got := at.item(); got == nil || *got != want {
			t.Fatalf("%v in the place of %v", got, want)
		}
		if found := q.seek(want).item(); found == nil || *found != want {
			t.Fatalf("%v found for %v", found, want)
		}
		at = at.next()
	}
	if at.item() != nil {
		t.Fatalf("%v after the end", at.item())
	}
}
