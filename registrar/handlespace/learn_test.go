// SPDX-License-Identifier: Apache-2.0

package handlespace_test

import (
	"errors"
	"testing"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

const peer = wire.ServerID(0xbeef)

func learn(t *testing.T, s *handlespace.Space, home wire.ServerID, e wire.PoolElement) *handlespace.Element {
	t.Helper()
	added, _, err := s.Learn(home, "p", e)
	if err != nil {
		t.Fatal(err)
	}
	return added
}

// RFC 5353 3.3.1 rules 1 and 2.
func TestLearnFoundsAndAdds(t *testing.T) {
	s := handlespace.New()
	first := tcp(1, 80)
	first.Policy = wire.WeightedRoundRobin(7)
	learn(t, s, peer, first)
	second := tcp(2, 80)
	second.Policy = wire.WeightedRoundRobin(9)
	e := learn(t, s, peer, second)
	if w, _ := s.Pool("p").Policy().Weight(); w != 7 || s.Len() != 2 {
		t.Errorf("the pool's policy has weight %d, and %d elements; want 7, 2", w, s.Len())
	}
	if e.Home != peer || e.Identity() != "" || !s.Owner(handlespace.Key{Pool: "p", PE: 2}).IsZero() {
		t.Errorf("element %+v, want the peer's, and nobody's here", *e)
	}
}

// RFC 5353 3.3.1 rule 3: the element is now registered elsewhere.
func TestLearnTakesOver(t *testing.T) {
	s := handlespace.New()
	mustRegister(t, s, identity(1, "pe"), "p", tcp(1, 80))
	e := learn(t, s, peer, tcp(1, 81))
	if e.Home != peer || e.User.Port != 81 || e.Identity() != "" || s.NumOwned("pe") != 0 || len(s.Owners()) != 0 {
		t.Errorf("element %+v, %d owned", *e, s.NumOwned("pe"))
	}
	if s.Checksum(home) != 0xffff || s.NumChildren(peer) != 1 {
		t.Errorf("our checksum is %#x, the peer has %d children", s.Checksum(home), s.NumChildren(peer))
	}
}

// A conflict in what a whole pool must agree on changes nothing.
func TestLearnRefusesWhatThePoolDoesNotAgreeOn(t *testing.T) {
	weighted := tcp(2, 80)
	weighted.Policy = wire.WeightedRoundRobin(1)
	for cause, e := range map[wire.CauseCode]wire.PoolElement{
		wire.CauseInconsistentPolicy:    weighted,
		wire.CauseInconsistentTransport: sctp(1, wire.UseDataOnly),
	} {
		s := handlespace.New()
		before := mustRegister(t, s, identity(1, "pe"), "p", tcp(1, 80))
		_, _, err := s.Learn(peer, "p", e)
		var refusal *wire.Error
		if !errors.As(err, &refusal) || refusal.Cause != cause || s.Pool("p") != before || s.NumChildren(peer) != 0 {
			t.Errorf("%v, want cause %v and nothing changed", err, cause)
		}
	}
}

// After a takeover nobody owns the elements here until they come.
func TestClaim(t *testing.T) {
	s := handlespace.New()
	k := handlespace.Key{Pool: "p", PE: 1}
	learn(t, s, peer, tcp(1, 80))
	if !s.Rehome(k, home) || s.Rehome(k, home) || s.Find(k).Home != home || s.NumChildren(peer) != 0 {
		t.Errorf("home %v, the old one has %d children", s.Find(k).Home, s.NumChildren(peer))
	}
	pe := identity(1, "pe")
	mustRegister(t, s, pe, "p", tcp(1, 80))
	if s.Owner(k) != pe || s.Find(k).Identity() != "pe" {
		t.Errorf("session %d owns it", s.Owner(k).Session())
	}
	if _, _, err := s.Register(home, identity(2, "other"), "p", tcp(1, 80)); err == nil {
		t.Error("claimed twice")
	}
}
