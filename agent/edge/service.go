// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/policy"
	"github.com/weir-lb/weir/registrar/wire"
)

// elementKey names an element of a service: the same PE at another address is another element.
type elementKey struct {
	pe   wire.PEID
	addr netip.AddrPort
}

// element is what we know of an element of a service, and want the kernel to know.
type element struct {
	identity   string        // "" until it registers after a restart, and if it registered elsewhere
	home       wire.ServerID // 0 until it registers after a restart
	weight     uint32        // by the pool's policy
	order      order
	state      maps.State
	recovering bool        // adopted from the last run, not registered since
	since      time.Time   // of its state
	tell       []time.Time // when its clients are to be told that it is lost
}

// service is one VIP and its elements. An element stays here, draining or lost, until its
// flows are gone from the kernel.
type service struct {
	maps.Service
	options maps.Options
	pool    wire.PoolHandle
	by      Spread
	lists   maps.Lists
	policy  string
	// policyType is 0 as long as nobody registered.
	policyType wire.PolicyType
	elements   map[elementKey]*element
	unfit      map[wire.PEID]string // elements of the pool that cannot serve it, and why
}

// tellAfter is when clients of a lost element are told: at once, and twice more, because a
// RST may be lost like any packet and an idle client has no other way to learn of it.
var tellAfter = []time.Duration{0, 250 * time.Millisecond, time.Second}

func (e *element) become(state maps.State, now time.Time) {
	if e.state == state {
		return
	}
	e.state, e.since, e.tell = state, now, nil
	if state == maps.Lost {
		for _, d := range tellAfter {
			e.tell = append(e.tell, now.Add(d))
		}
	}
}

// adopt takes over a row of an earlier run. What was active or away is kept as it was until it
// registers again or the recovery is over.
func (s *service) adopt(row maps.Row, now time.Time) {
	e := &element{weight: row.Weight, order: orderOf(row.Element), since: now}
	e.become(row.State, now)
	e.recovering = row.State >= maps.Away
	s.elements[elementKey{wire.PEID(row.PE), row.Addr}] = e
}

// recovering says whether an element of the last run is still awaited.
func (s *service) recovering() bool {
	for _, e := range s.elements {
		if e.recovering {
			return true
		}
	}
	return false
}

// endRecovery gives up on elements of the last run that did not register again.
func (s *service) endRecovery(now time.Time) (lost int) {
	for _, e := range s.elements {
		if e.recovering {
			e.recovering = false
			e.become(maps.Lost, now)
			lost++
		}
	}
	return lost
}

// update follows a change of the pool: first who is there, then who left and why.
func (s *service) update(c change, now time.Time) {
	present := map[elementKey]bool{}
	for m := range c.pool.All() {
		key, ok := s.key(m)
		if !ok {
			continue
		}
		present[key] = true
		s.meet(key, m, c.orders, now)
	}
	s.weigh(c.pool)
	for _, d := range c.departed {
		if key, ok := s.key(d.Element); ok && !present[key] {
			s.part(key, d.Reason, now)
		}
	}
	if c.pool.Len() > 0 { // a pool that is gone has no policy: the last one is shown
		s.policyType = c.pool.Policy().Type
		s.policy = s.policyType.String()
	}
	s.drainMissing(present, now)
}

// key names a pool's element in this service; false if it cannot serve it.
func (s *service) key(m *handlespace.Element) (elementKey, bool) {
	at, reason := s.place(m)
	return elementKey{m.ID, at}, reason == ""
}

func (s *service) meet(key elementKey, m *handlespace.Element, given orders, now time.Time) {
	e := s.elements[key]
	if e == nil {
		e = &element{order: given.of(key), since: now}
		s.elements[key] = e
	}
	e.identity, e.home, e.recovering = m.Identity(), m.Home, false
	if m.State == handlespace.Up {
		e.become(maps.Active, now)
	} else {
		e.become(maps.Away, now)
	}
}

// weigh gives the elements that may get new flows their weights. One that is drained has no part in it:
// of a policy by priority the next ones take over.
func (s *service) weigh(pool *handlespace.Pool) {
	of := func(m *handlespace.Element) *element {
		key, _ := s.key(m)
		return s.elements[key]
	}
	for _, w := range policy.WeightsOf(pool, func(m *handlespace.Element) bool {
		e := of(m)
		return e == nil || !e.order.drained
	}) {
		if e := of(w.Element); e != nil {
			e.weight = w.Weight
		}
	}
}

// part ends an element. One that left of its own will, or whose server is there under another
// PE identifier, drains; one that is unreachable, or not trusted any more, is lost. One that
// another registrar was the home of drains: DEL_PE gives no reason (RFC 5353 2.4, 3.3.2), and
// to take it for lost would reset the clients of each that leaves with care.
func (s *service) part(key elementKey, reason handlespace.DepartReason, now time.Time) {
	e := s.elements[key]
	if e == nil {
		return
	}
	e.recovering = false
	unreachable := reason == handlespace.Lost || reason == handlespace.Unreachable
	if reason == handlespace.Revoked || unreachable && !s.servedByAnother(key, e.identity) {
		e.become(maps.Lost, now)
	} else {
		e.become(maps.Draining, now)
	}
}

func (s *service) servedByAnother(key elementKey, identity string) bool {
	for other, e := range s.elements {
		if other.pe != key.pe && other.addr == key.addr && e.state == maps.Active && e.identity == identity {
			return true
		}
	}
	return false
}

// drainMissing catches what moved to another address: the pool does not list it and nobody said
// that it left.
func (s *service) drainMissing(present map[elementKey]bool, now time.Time) {
	for key, e := range s.elements {
		if !present[key] && !e.recovering && e.state >= maps.Away {
			e.become(maps.Draining, now)
		}
	}
}

// wanted is what the kernel shall know, in a stable order.
func (s *service) wanted() []maps.Element {
	list := make([]maps.Element, 0, len(s.elements))
	for key, e := range s.elements {
		list = append(list, maps.Element{
			PE: uint32(key.pe), Addr: key.addr, Weight: e.share(), State: e.state, Drained: e.order.drained, Weighed: e.order.weighed})
	}
	slices.SortFunc(list, func(a, b maps.Element) int {
		return cmp.Or(a.Addr.Compare(b.Addr), cmp.Compare(a.PE, b.PE))
	})
	return list
}
