// SPDX-License-Identifier: Apache-2.0

package handlespace_test

import (
	"errors"
	"testing"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

const home = wire.ServerID(0xf00d)

func TestRegisterRules(t *testing.T) {
	a, b := identity(1, "pe-a"), identity(2, "pe-b")
	weighted := tcp(2, 80)
	weighted.Policy = wire.WeightedRoundRobin(3)
	tests := []struct {
		name    string
		founder wire.PoolElement
		by      handlespace.Identity
		element wire.PoolElement
		want    wire.CauseCode
		info    string // of the cause, as bytes
	}{
		{"rule 2: another policy type", tcp(1, 80), b, weighted,
			wire.CauseInconsistentPolicy, "\x00\x08\x00\x08\x00\x00\x00\x01"},
		{"rule 2: another transport type", tcp(1, 80), b, sctp(2, wire.UseDataOnly),
			wire.CauseInconsistentTransport, "\x00\x05\x00\x10\x00\x50\x00\x00\x00\x01\x00\x08\x0a\x00\x00\x0b"},
		{"rule 2: another transport use", sctp(1, wire.UseDataOnly), b, sctp(2, wire.UseDataControl),
			wire.CauseInconsistentTransportUse, ""},
		{"rule 3: the same tests for a re-registration", tcp(1, 80), a, sctp(1, wire.UseDataOnly),
			wire.CauseInconsistentTransport, "\x00\x05\x00\x10\x00\x50\x00\x00\x00\x01\x00\x08\x0a\x00\x00\x0b"},
		{"RFC 5354 3.12.5: identifier of another identity", tcp(1, 80), b, tcp(1, 81), wire.CauseNonUniquePEID, ""},
		{"threats 2.1.3: nobody has proven anything", tcp(1, 80), handlespace.Identity{}, tcp(2, 80),
			wire.CauseSecurity, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := handlespace.New()
			before := mustRegister(t, s, a, "p", tt.founder)
			_, _, err := s.Register(home, tt.by, "p", tt.element)
			var we *wire.Error
			if !errors.As(err, &we) {
				t.Fatalf("error %v, want a *wire.Error", err)
			}
			if we.Cause != tt.want || string(we.Param) != tt.info || !we.Report {
				t.Errorf("cause %v, info %x, report %v; want %v, %x, true", we.Cause, we.Param, we.Report, tt.want, tt.info)
			}
			if s.Pool("p") != before || s.Len() != 1 {
				t.Error("a refused registration changed the pool")
			}
		})
	}
}

func TestFounderSetsThePool(t *testing.T) {
	s := handlespace.New()
	e := sctp(7, wire.UseDataControl)
	e.Policy = wire.WeightedRoundRobin(5)
	p := mustRegister(t, s, identity(1, "pe"), "p", e)
	if w, ok := p.Policy().Weight(); !ok || w != 5 || p.Protocol() != wire.ProtocolSCTP || p.Use() != wire.UseDataControl {
		t.Errorf("pool has policy %v, transport %v, use %v", p.Policy(), p.Protocol(), p.Use())
	}
	got := p.Find(7)
	if got == nil || got.Home != home || got.Identity() != "pe" || got.State != handlespace.Up || got.Wire().User.Port != 80 {
		t.Errorf("element %+v", got)
	}
}

func TestReregistrationReplaces(t *testing.T) {
	s := handlespace.New()
	pe := identity(1, "pe")
	first := mustRegister(t, s, pe, "p", tcp(1, 80))
	if again := mustRegister(t, s, pe, "p", tcp(1, 80)); again != first {
		t.Error("the same attributes made another snapshot")
	}
	second := mustRegister(t, s, pe, "p", tcp(1, 81))
	if second.Generation() <= first.Generation() {
		t.Errorf("generation %d after %d", second.Generation(), first.Generation())
	}
	if was, is := first.Find(1).User.Port, second.Find(1).User.Port; was != 80 || is != 81 {
		t.Errorf("ports %d, %d, want 80 in the old snapshot and 81 in the new", was, is)
	}
}

func TestNewSessionSupersedes(t *testing.T) {
	s := handlespace.New()
	old, now := identity(1, "pe"), identity(2, "pe")
	k := handlespace.Key{Pool: "p", PE: 1}
	mustRegister(t, s, old, "p", tcp(1, 80))
	if !s.SetState(k, handlespace.Away) || s.Pool("p").Find(1).State != handlespace.Away {
		t.Fatal("not away")
	}
	p := mustRegister(t, s, now, "p", tcp(1, 80))
	if p.Find(1).State != handlespace.Up || s.Owner(k) != now || s.NumOwned("pe") != 1 {
		t.Errorf("state %v, owner's session %d, %d owned", p.Find(1).State, s.Owner(k).Session(), s.NumOwned("pe"))
	}
}

func TestDeregister(t *testing.T) {
	s := handlespace.New()
	a, b := identity(1, "pe-a"), identity(2, "pe-b")
	k := handlespace.Key{Pool: "p", PE: 1}
	mustRegister(t, s, a, "p", tcp(1, 80))
	if _, err := s.Deregister(b, k); err == nil || s.Len() != 1 {
		t.Error("another identity's element was deregistered")
	}
	if e, err := s.Deregister(b, handlespace.Key{Pool: "p", PE: 2}); e != nil || err != nil {
		t.Errorf("unknown element: %v, error %v", e, err)
	}
	e, err := s.Deregister(identity(3, "pe-a"), k)
	if err != nil || e.ID != 1 {
		t.Errorf("element %v, error %v", e, err)
	}
	if s.Pool("p") != nil || s.NumPools() != 0 || len(s.Owners()) != 0 {
		t.Error("RFC 5352 3.2: the last element must take the pool with it")
	}
}

func mustRegister(
	t *testing.T, s *handlespace.Space, by handlespace.Identity, h wire.PoolHandle, e wire.PoolElement,
) *handlespace.Pool {
	t.Helper()
	before := s.Pool(h)
	added, changed, err := s.Register(home, by, h, e)
	if err != nil {
		t.Fatalf("register %v: %v", e.ID, err)
	}
	p := s.Pool(h)
	if added != p.Find(e.ID) || changed != (p != before) {
		t.Fatalf("returned %v, changed: %v; the snapshot says otherwise", added, changed)
	}
	return p
}
