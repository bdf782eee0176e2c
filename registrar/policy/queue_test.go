// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
)

func compareEntries(a, b entry) int { return cmp.Compare(a.id, b.id) }

// A queue that grows to thousands, is changed all over, and shrinks in all orders holds what a sorted slice holds.
func TestQueueIsASortedList(t *testing.T) {
	for seed := range uint64(6) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var q queue
		var list []entry
		add := func() { // of some seeds many are there already
			i := entry{id: wire.PEID(rnd.Uint64N(1 << (14 + 3*seed))), slot: rnd.Uint32()}
			if at, found := slices.BinarySearchFunc(list, i, compareEntries); !found {
				q.insert(i)
				list = slices.Insert(list, at, i)
			}
		}
		drop := func(at int) {
			q.remove(list[at].id)
			list = slices.Delete(list, at, at+1)
		}
		for range 8000 {
			add()
		}
		checkQueue(t, &q, list)
		for range 5000 {
			add()
			drop(rnd.IntN(len(list)))
		}
		checkQueue(t, &q, list)
		for len(list) > 0 {
			drop([]int{0, len(list) - 1, len(list) / 2, rnd.IntN(len(list))}[seed%4])
			if len(list)%300 == 0 {
				checkQueue(t, &q, list)
			}
		}
		add()
		checkQueue(t, &q, list)
	}
}

func checkQueue(t *testing.T, q *queue, list []entry) {
	t.Helper()
	at := q.begin()
	for _, want := range list {
		if got := at.entry(); got == nil || *got != want {
			t.Fatalf("%v in the place of %v", got, want)
		}
		if found := q.seek(want.id).entry(); found == nil || *found != want {
			t.Fatalf("%v found for %v", found, want)
		}
		at = at.next()
	}
	if at.entry() != nil {
		t.Fatalf("%v after the end", at.entry())
	}
}
