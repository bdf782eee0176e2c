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
	up      queue       // by identifier only
	members []robinSeat // by slot
	next    wire.PEID   // the first identifier to consider
}

type robinSeat struct {
	element *handlespace.Element // nil: free
	up      bool
}

func (r *robin) put(e *handlespace.Element, _ bool) (added bool) {
	m := seat(&r.members, e)
	was, is := m.up, e.State == handlespace.Up
	added = m.element == nil
	*m = robinSeat{e, is}
	switch {
	case is && !was:
		r.up.insert(robinItem(e))
	case was && !is:
		r.up.remove(robinItem(e))
	}
	return added
}

func (r *robin) remove(e *handlespace.Element) (removed bool) {
	m := seat(&r.members, e)
	removed = m.element != nil
	if m.up {
		r.up.remove(robinItem(e))
	}
	*m = robinSeat{}
	return removed
}

func robinItem(e *handlespace.Element) item { return item{id: e.ID, slot: uint32(e.Slot())} }

func (r *robin) choose(_ *rand.Rand, limit int, chosen []*handlespace.Element) []*handlespace.Element {
	at := r.up.seek(item{id: r.next})
	if at.item() == nil {
		at = r.up.begin()
	}
	first := at.item()
	if first == nil {
		return chosen
	}
	r.next = first.id + 1 // after the highest identifier of all this is 0: the beginning
	for i := first; len(chosen) < limit; {
		chosen = append(chosen, r.members[i.slot].element)
		at = at.next()
		if i = at.item(); i == nil {
			at = r.up.begin()
			i = at.item()
		}
		if i == first {
			break
		}
	}
	return chosen
}

func (r *robin) withdraw(*handlespace.Element) {}
