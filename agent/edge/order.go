// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/registrar/wire"
)

// order is what an operator has said about an element. It lies in the element's row, and so stands until
// it is taken back: over reloads and restarts of the gateway, and while the element is away. The element's
// row is kept for it.
type order struct {
	drained bool // no new flows
	weighed bool
	weight  uint32 // if weighed: instead of the policy's
}

// orderOf is that of an earlier run.
func orderOf(e maps.Element) order {
	o := order{drained: e.Drained, weighed: e.Weighed}
	if o.weighed {
		o.weight = e.Weight
	}
	return o
}

// share is the element's weight as it counts.
func (e *element) share() uint32 {
	if e.order.weighed {
		return e.order.weight
	}
	return e.weight
}

// takesFlows says whether new flows may begin at the element, as far as its weight lets them.
func (e *element) takesFlows() bool { return e.state == maps.Active && !e.order.drained }

// orders are those that stand for a pool, by element.
type orders map[elementKey]order

// of is what stands for an element that comes: it is the one that was there before if it has the same
// identifier, at another address now, or the same address, as a server that was started anew.
func (all orders) of(key elementKey) (mine order) {
	for known, o := range all {
		if !key.isLike(known) {
			continue
		}
		mine.drained = mine.drained || o.drained
		if o.weighed && (!mine.weighed || known.pe == key.pe) {
			mine.weighed, mine.weight = true, o.weight
		}
	}
	return mine
}

func (k elementKey) isLike(other elementKey) bool { return k.pe == other.pe || k.addr == other.addr }

func (r *reconciler) orders(pool wire.PoolHandle) orders {
	all := orders{}
	for _, s := range r.servicesOf(pool) {
		for key, e := range s.elements {
			if e.order != (order{}) {
				all[key] = e.order
			}
		}
	}
	return all
}

func (r *reconciler) servicesOf(pool wire.PoolHandle) (all []*service) {
	for _, s := range r.services {
		if s.pool == pool {
			all = append(all, s)
		}
	}
	return all
}

// mustKeep says whether an order stands for an element that is gone, and for no other one that is like it
// and came later.
func (s *service) mustKeep(key elementKey) bool {
	e := s.elements[key]
	if e.order == (order{}) {
		return false
	}
	for other, o := range s.elements {
		if other != key && other.isLike(key) && o.order == e.order && (o.state >= maps.Away || o.since.After(e.since)) {
			return false
		}
	}
	return true
}
