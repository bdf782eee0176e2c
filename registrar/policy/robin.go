// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"math/rand/v2"
	"unsafe"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/prefetch"
	"github.com/weir-lb/weir/registrar/wire"
)

// robin is the circular list of RFC 5356 4.1.2, by identifier: each resolution begins behind the first element of the one
// before.
type robin struct {
	up      queue
	members []robinSeat // by slot
	next    wire.PEID   // the first identifier to consider
	head    place       // where that is, if the queue has not changed since
	changes uint64      // of the queue, when that was so
	far     place       // of whom comes after some resolutions, to be fetched
	near    place       // of whom comes sooner
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
		r.up.insert(entry{e.ID, uint32(e.Slot())})
	case was && !is:
		r.up.remove(e.ID)
	}
	return added
}

func (r *robin) remove(e *handlespace.Element) (removed bool) {
	m := seat(&r.members, e)
	removed = m.element != nil
	if m.up {
		r.up.remove(e.ID)
	}
	*m = robinSeat{}
	return removed
}

func (r *robin) choose(_ *rand.Rand, limit int, chosen []*handlespace.Element) []*handlespace.Element {
	if r.changes != r.up.changes {
		r.head, r.changes = r.up.seek(r.next), r.up.changes
		r.near = r.up.forth(r.head, leadNear)
		r.far = r.up.forth(r.near, leadNear)
	}
	at := r.up.round(r.head)
	first := at.entry()
	if first == nil {
		return chosen
	}
	r.next = first.id + 1 // after the highest identifier of all this is 0: the beginning
	r.head = at.next()
	r.fetch()
	for i := first; len(chosen) < limit; {
		chosen = append(chosen, r.members[i.slot].element)
		at = r.up.round(at.next())
		if i = at.entry(); i == first {
			break
		}
	}
	return chosen
}

// leadNear is for how many resolutions an element is fetched ahead, and its seat for as many more.
const leadNear = 8

func (r *robin) fetch() {
	r.near, r.far = r.up.forth(r.near, 1), r.up.forth(r.far, 1)
	if i := r.far.entry(); i != nil {
		prefetch.Line(unsafe.Pointer(&r.members[i.slot]))
	}
	if i := r.near.entry(); i != nil {
		prefetch.Lines(unsafe.Pointer(r.members[i.slot].element))
	}
}

func (r *robin) withdraw(*handlespace.Element) {}

func (r *robin) expect(slot int) { fetch(r.members, slot) }
