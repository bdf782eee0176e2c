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

// A tournament that grows, is changed all over and empties has the order of a sorted slice.
func TestTournamentIsASortedList(t *testing.T) {
	for seed := range uint64(6) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var order tournament
		slots := map[uint32]item{}
		change := func(slot uint32, leaves bool) {
			i := nobody()
			delete(slots, slot)
			if !leaves { // often equal but for the last
				i = item{rnd.Uint64N(1 + seed*40), rnd.Uint64N(1 + seed), wire.PEID(rnd.Uint32()), slot}
				slots[slot] = i
			}
			order.set(slot, i)
		}
		for slot := range uint32(700) {
			change(slot, slot%7 == 6)
			checkTournament(t, &order, slots, int(slot%10))
		}
		for range 2000 {
			change(rnd.Uint32N(700), rnd.IntN(3) == 0)
			checkTournament(t, &order, slots, rnd.IntN(10))
		}
		for n := 0; len(slots) > 0; n++ { // the first of all each time, then whoever is there
			slot := order.first().slot
			if n%2 == 1 {
				slot = rnd.Uint32N(700)
			}
			change(slot, true)
			checkTournament(t, &order, slots, 700*(n%20/19))
		}
	}
}

func checkTournament(t *testing.T, order *tournament, slots map[uint32]item, limit int) {
	t.Helper()
	list := make([]item, 0, len(slots))
	for _, i := range slots {
		list = append(list, i)
	}
	slices.SortFunc(list, compareItems)
	if len(list) == 0 {
		list = append(list, nobody())
		limit = 0
	}
	if first := order.first(); first != list[0] {
		t.Fatalf("%v is first, want %v", first, list[0])
	}
	var want []uint32
	for _, i := range list[:min(limit, len(list))] {
		want = append(want, i.slot)
	}
	if got := order.ahead(limit, nil); !slices.Equal(got, want) {
		t.Fatalf("the first %d are %v, want %v", limit, got, want)
	}
}
