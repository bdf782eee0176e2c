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
	given      given // new flows, as the kernel counts them
	state      maps.State
	recovering bool        // adopted from the last run, not registered since
	since      time.Time   // of its state
	until      time.Time   // of one that is draining because it is lost: when it is lost for its flows, too; else zero
	tell       []time.Time // when its clients are to be told that it is lost
}

// service is one VIP and its elements. An element stays here, draining or lost, until its
// flows are gone from the kernel.
type service struct {
	maps.Service
	options maps.Options
	drain   time.Duration // how long flows of a lost element stay; 0: they do not
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
	e.state, e.since, e.until, e.tell = state, now, time.Time{}, nil
	if state == maps.Lost {
		for _, d := range tellAfter {
			e.tell = append(e.tell, now.Add(d))
		}
	}
}

// lose ends an element that nobody answers for any more. Where flows are drained it is draining first.
func (s *service) lose(e *element, now time.Time) {
	if s.drain == 0 {
		e.become(maps.Lost, now)
		return
	}
	e.become(maps.Draining, now)
	if e.until.IsZero() {
		e.until = now.Add(s.drain)
	}
}

// expire loses the elements whose flows had their time. It tells whether there are any.
func (s *service) expire(now time.Time) (any bool) {
	for _, e := range s.elements {
		if !e.until.IsZero() && !now.Before(e.until) {
			e.become(maps.Lost, now)
			any = true
		}
	}
	return any
}

// adopt takes over a row of an earlier run. What was active or away is kept as it was until it
// registers again or the recovery is over.
func (s *service) adopt(row maps.Row, now time.Time) {
	e := &element{weight: row.Weight, order: orderOf(row.Element), since: now}
	e.become(row.State, now)
	e.recovering = row.State >= maps.Away
	if row.Until != 0 { // at most as long as from now on, whatever the clock has done
		e.until = time.Unix(int64(row.Until), 0)
		if most := now.Add(s.drain); most.Before(e.until) {
			e.until = most
		}
	}
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
			s.lose(e, now)
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
	}, func(m *handlespace.Element) uint64 {
		if e := of(m); e != nil {
			return e.given.sinceReport()
		}
		return 0
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
	switch {
	case reason == handlespace.Revoked: // it must not serve for any time
		e.become(maps.Lost, now)
	case unreachable && !s.servedByAnother(key, e.identity):
		s.lose(e, now)
	default:
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
		w := maps.Element{
			PE: uint32(key.pe), Addr: key.addr, Weight: e.share(), State: e.state, Drained: e.order.drained, Weighed: e.order.weighed}
		if !e.until.IsZero() {
			w.Until = uint32(e.until.Unix())
		}
		list = append(list, w)
	}
	slices.SortFunc(list, func(a, b maps.Element) int {
		return cmp.Or(a.Addr.Compare(b.Addr), cmp.Compare(a.PE, b.PE))
	})
	return list
}
