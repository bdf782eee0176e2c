// SPDX-License-Identifier: Apache-2.0

package handlespace_test

import (
	"net/netip"
	"testing"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// full is a registration that has something everywhere.
func full() wire.PoolElement {
	e := sctp(1, wire.UseDataOnly)
	e.User.Addrs = append(e.User.Addrs, netip.MustParseAddr("2001:db8::1"))
	e.Policy = wire.LeastUsedWithDegradation(1, 2)
	asap := e.User
	asap.Port, asap.Use = 3863, wire.UseDataControl
	e.ASAP = &asap
	return e
}

// TestEachChangeIsNoticed: a registration that says anything else than the last one is a change, and the same again is none.
func TestEachChangeIsNoticed(t *testing.T) {
	by, again := identity(1, "pe"), identity(1, "pe")
	type registration struct {
		home wire.ServerID
		by   handlespace.Identity
		wire.PoolElement
	}
	tests := []struct {
		name   string
		change func(r *registration)
	}{
		{"home", func(r *registration) { r.home++ }},
		{"another session", func(r *registration) { r.by = again }},
		{"life", func(r *registration) { r.Life++ }},
		{"port", func(r *registration) { r.User.Port++ }},
		{"service code", func(r *registration) { r.User.ServiceCode++ }},
		{"an address more", func(r *registration) { r.User.Addrs = append(r.User.Addrs, r.User.Addrs[0]) }},
		{"an address less", func(r *registration) { r.User.Addrs = r.User.Addrs[:1] }},
		{"another address", func(r *registration) { r.User.Addrs[1] = r.User.Addrs[1].Next() }},
		{"addresses in another order", func(r *registration) {
			r.User.Addrs[0], r.User.Addrs[1] = r.User.Addrs[1], r.User.Addrs[0]
		}},
		{"the address mapped", func(r *registration) { r.User.Addrs[0] = netip.AddrFrom16(r.User.Addrs[0].As16()) }},
		{"a zone", func(r *registration) { r.User.Addrs[1] = r.User.Addrs[1].WithZone("eth0") }},
		{"opaque data", func(r *registration) { r.User.Opaque = []byte{0} }},
		{"load", func(r *registration) { r.Policy = wire.LeastUsedWithDegradation(2, 2) }},
		{"degradation", func(r *registration) { r.Policy = wire.LeastUsedWithDegradation(1, 3) }},
		{"more policy data", func(r *registration) { r.Policy.Data = append(r.Policy.Data, 0) }},
		{"no ASAP transport", func(r *registration) { r.ASAP = nil }},
		{"ASAP's protocol", func(r *registration) { r.ASAP.Protocol = wire.ProtocolTCP }},
		{"ASAP's port", func(r *registration) { r.ASAP.Port++ }},
		{"ASAP's use", func(r *registration) { r.ASAP.Use = wire.UseDataOnly }},
		{"ASAP's addresses", func(r *registration) { r.ASAP.Addrs = nil }},
		{"ASAP's opaque data", func(r *registration) { r.ASAP.Opaque = []byte{0} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := handlespace.New()
			if first := full(); !registerFull(t, s, 1, by, first) || registerFull(t, s, 1, by, full()) {
				t.Fatal("the first is no change, or the same again is one")
			}
			r := registration{1, by, full()}
			tt.change(&r)
			if !registerFull(t, s, r.home, r.by, r.PoolElement) {
				t.Error("the change is not noticed")
			}
			if registerFull(t, s, r.home, r.by, r.PoolElement) {
				t.Error("the same again is a change")
			}
			if !registerFull(t, s, 1, by, full()) {
				t.Error("the change back is not noticed")
			}
		})
	}
}

// TestOtherChangesAreComparedWith: what another call changed is compared with, too.
func TestOtherChangesAreComparedWith(t *testing.T) {
	s, by, k := handlespace.New(), identity(1, "pe"), handlespace.Key{Pool: "p", PE: 1}
	registerFull(t, s, 1, by, full())
	s.SetState(k, handlespace.Away)
	s.SetState(k, handlespace.Up)
	if registerFull(t, s, 1, by, full()) {
		t.Error("it was Away, is Up again, and a registration that says nothing new is a change")
	}
	s.SetState(k, handlespace.Away)
	if !registerFull(t, s, 1, by, full()) || s.Find(k).State != handlespace.Up {
		t.Error("a registration of an element that is Away is no change")
	}
	s.Rehome(k, 2)
	if registerFull(t, s, 2, by, full()) {
		t.Error("a registration at the home that it was given is a change")
	}
	s.SetState(k, handlespace.Away)
	s.Rehome(k, 1)
	if !registerFull(t, s, 1, by, full()) {
		t.Error("a registration of an element that is Away at another home is no change")
	}
	if _, changed, err := s.Learn(1, "p", full()); err != nil || !changed || !s.Owner(k).IsZero() {
		t.Errorf("the same of nobody: changed %v, %v", changed, err)
	}
}

func registerFull(
	t *testing.T, s *handlespace.Space, home wire.ServerID, by handlespace.Identity, e wire.PoolElement,
) (changed bool) {
	t.Helper()
	_, changed, err := s.Register(home, by, "p", e)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}
