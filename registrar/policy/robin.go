// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"math/rand/v2"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// robin is the circular list of RFC 5356 4.1.2, by identifier: each resolution begins behind the first element of the one
// before.
type robin struct {
	up   queue // by identifier only
	is   []bool
	next wire.PEID // the first identifier to consider
}

func (r *robin) put(e *handlespace.Element, _ bool) {
	r.is = grow(r.is, e.Slot())
	if up := e.State == handlespace.Up; up != r.is[e.Slot()] {
		r.is[e.Slot()] = up
		if up {
			r.up.insert(robinItem(e))
		} else {
			r.up.remove(robinItem(e))
		}
	}
}

func (r *robin) remove(e *handlespace.Element) {
	if r.is[e.Slot()] {
		r.is[e.Slot()] = false
		r.up.remove(robinItem(e))
	}
}

func robinItem(e *handlespace.Element) item { return item{id: e.ID, slot: uint32(e.Slot())} }

func (r *robin) choose(_ *rand.Rand, limit int, chosen []uint32) []uint32 {
	at := r.up.seek(item{id: r.next})
	if r.up.at(at) == nil {
		at = place{}
	}
	first := r.up.at(at)
	if first == nil {
		return chosen
	}
	r.next = first.id + 1 // after the highest identifier of all this is 0: the beginning
	for i := first; len(chosen) < limit; {
		chosen = append(chosen, i.slot)
		at = r.up.next(at)
		if i = r.up.at(at); i == nil {
			at = place{}
			i = r.up.at(at)
		}
		if i == first {
			break
		}
	}
	return chosen
}

func (r *robin) withdraw(uint32) {}
