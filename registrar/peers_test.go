// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/enrp"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/transport/psk"
	"github.com/weir-lb/weir/registrar/wire"
)

// scope is several registrars on the loopback interface that know each other, with TLS or without. Registrar i has the
// identifier i+1, and the keys of pe-1, pe-2 and pe-3.
type scope struct {
	t         *testing.T
	ctx       context.Context
	unsecured bool
	enrp      []netip.AddrPort // of each registrar
	running   []*member
}

// member is one registrar of a scope.
type member struct {
	*live
	stop func()
}

// newScope reserves the addresses of n registrars, none of which runs yet.
func newScope(t *testing.T, n int, unsecured bool) *scope {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	s := &scope{t: t, ctx: ctx, unsecured: unsecured, running: make([]*member, n)}
	for range n { // an address of its own each: a free port might be taken before it is listened at
		at := netip.AddrFrom4([4]byte{127, byte(rand.N(256)), byte(rand.N(256)), byte(2 + rand.N(250))})
		s.enrp = append(s.enrp, netip.AddrPortFrom(at, 9902))
	}
	return s
}

// peerIdentity is what registrar i proves to registrar j.
func peerIdentity(i, j int) string { return "r-" + string(rune('1'+i)) + "-to-" + string(rune('1'+j)) }

// keys has the keys of all pairs that registrar i is in, and those of elements.
func (s *scope) keys(i int) *psk.Keys {
	var b strings.Builder
	for k, name := range []string{"pe-1", "pe-2", "pe-3"} {
		b.WriteString(name + ":" + strings.Repeat(string(rune('a'+k)), 32) + "\n")
	}
	for j := range s.enrp {
		if j != i {
			b.WriteString(peerIdentity(i, j) + ":" + strings.Repeat(string(rune('1'+i))+string(rune('1'+j)), 16) + "\n")
			b.WriteString(peerIdentity(j, i) + ":" + strings.Repeat(string(rune('1'+j))+string(rune('1'+i)), 16) + "\n")
		}
	}
	file := filepath.Join(s.t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		s.t.Fatal(err)
	}
	keys, err := psk.LoadKeys(file)
	if err != nil {
		s.t.Fatal(err)
	}
	return keys
}

func (s *scope) config(i int, o *observer) Config {
	cfg := testConfig(nil, o, newGate())
	cfg.ServerID, cfg.ENRP = wire.ServerID(i+1), []Listener{{Protocol: wire.ProtocolTCP, Addr: s.enrp[i]}}
	cfg.Grants = append(cfg.Grants, grant("pe-3"))
	cfg.Timers = Timers{
		PeerHeartbeatCycle: 200 * time.Millisecond, MaxTimeLastHeard: 500 * time.Millisecond,
		MaxTimeNoResponse: 300 * time.Millisecond, MentorHunt: 300 * time.Millisecond, TakeoverExpiry: 300 * time.Millisecond,
	}
	for j, at := range s.enrp {
		if j == i {
			continue
		}
		p := Peer{Server: wire.ServerID(j + 1), Protocol: wire.ProtocolTCP, Addr: at}
		if !s.unsecured {
			p.Identity, p.As = peerIdentity(j, i), peerIdentity(i, j)
		}
		cfg.Peers = append(cfg.Peers, p)
	}
	if s.unsecured {
		cfg.Unsecured, cfg.Grants = true, nil
	} else {
		cfg.Keys = s.keys(i)
	}
	cfg.Log = slog.New(slog.NewTextHandler(s.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})).With("registrar", i+1)
	return cfg
}

// start runs registrar i until it is stopped or the test ends.
func (s *scope) start(i int, change ...func(*Config)) *member {
	s.t.Helper()
	l := &live{t: s.t, ctx: s.ctx, observer: newObserver()}
	cfg := s.config(i, l.observer)
	for _, f := range change {
		f(&cfg)
	}
	r, err := New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	l.Registrar = r
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stopped := false
	m := &member{live: l, stop: func() {
		if cancel(); !stopped {
			stopped = true
			if err := <-done; err != nil && !errors.Is(err, context.DeadlineExceeded) {
				s.t.Errorf("Run: %v", err)
			}
		}
	}}
	s.t.Cleanup(m.stop)
	s.running[i] = m
	return m
}

// join is what an element proves itself with to a registrar of the scope.
func (s *scope) join(m *member, identity string) element {
	s.t.Helper()
	cfg := transport.DialConfig{Remote: m.Addr(), Plain: s.unsecured}
	if !s.unsecured {
		cfg.Identity, cfg.Keys = identity, s.keys(0)
	}
	session, err := transport.Dial(s.ctx, cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { session.Close() })
	return element{session, m.live}
}

// await waits until the registrar knows what is wanted of it.
func (s *scope) await(m *member, what string, ok func(View) bool) {
	s.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		v, err := m.View(s.ctx)
		if err != nil {
			s.t.Fatalf("%s: %v", what, err)
		}
		if ok(v) {
			return
		}
		<-tick.C
	}
}

// homes are the homes of all elements of the pool web, by identifier.
func homes(v View) map[wire.PEID]wire.ServerID {
	all := map[wire.PEID]wire.ServerID{}
	for _, p := range v.Pools {
		for e := range p.All() {
			if e.State == handlespace.Up {
				all[e.ID] = e.Home
			}
		}
	}
	return all
}

func (s *scope) wantHomes(m *member, want map[wire.PEID]wire.ServerID) {
	s.t.Helper()
	s.await(m, "elements and their homes", func(v View) bool { return reflect.DeepEqual(homes(v), want) })
}

func (s *scope) wantPeer(m *member, id wire.ServerID, want enrp.PeerState) {
	s.t.Helper()
	s.await(m, "peer is "+want.String(), func(v View) bool {
		for _, p := range v.Peers {
			if p.Server == id {
				return p.State == want
			}
		}
		return want == enrp.Gone
	})
}

// eachSecurity runs a test in secured and in unsecured scopes.
func eachSecurity(t *testing.T, n int, test func(t *testing.T, s *scope)) {
	for _, unsecured := range []bool{false, true} {
		name := "secured"
		if unsecured {
			name = "unsecured"
		}
		t.Run(name, func(t *testing.T) { test(t, newScope(t, n, unsecured)) })
	}
}

type elementHomes = map[wire.PEID]wire.ServerID

// RFC 5353 3.2, 3.3: who comes later gets what is there, and everybody hears of what changes.
func TestTwoRegistrarsKnowTheSame(t *testing.T) {
	eachSecurity(t, 2, func(t *testing.T, s *scope) {
		one := s.start(0)
		pe := s.join(one, "pe-1")
		pe.ask(s.registration(1), &wire.RegistrationResponse{Pool: "web", PE: 1})
		two := s.start(1)
		s.wantHomes(two, elementHomes{1: 1})
		other := s.join(two, "pe-2")
		other.ask(s.registration(2), &wire.RegistrationResponse{Pool: "web", PE: 2})
		for _, m := range []*member{one, two} {
			s.wantHomes(m, elementHomes{1: 1, 2: 2})
			s.wantPeer(m, wire.ServerID(3)-m.cfg.ServerID, enrp.Active)
		}
		pe.ask(&wire.Deregistration{Pool: "web", PE: 1}, &wire.DeregistrationResponse{Pool: "web", PE: 1})
		s.wantHomes(two, elementHomes{2: 2})
	})
}

// registration is one that both kinds of registrar take: from where the element is.
func (s *scope) registration(id wire.PEID) *wire.Registration {
	if s.unsecured {
		return registration("web", id, "127.0.0.1")
	}
	return registration("web", id, "10.0.0.1")
}

// RFC 5353 3.5: with exactly two registrars a takeover completes, and the element keeps its place and comes back.
func TestTakeover(t *testing.T) {
	eachSecurity(t, 2, func(t *testing.T, s *scope) {
		one, two := s.start(0), s.start(1)
		pe := s.join(two, "pe-1")
		pe.ask(s.registration(1), &wire.RegistrationResponse{Pool: "web", PE: 1})
		s.wantHomes(one, elementHomes{1: 2})
		two.stop()
		s.wantHomes(one, elementHomes{1: 1})
		moved := s.join(one, "pe-1")
		moved.ask(s.registration(1), &wire.RegistrationResponse{Pool: "web", PE: 1})
		if n := one.Stats(); n.Peers.Takeovers["completed"] != 1 || n.Elements != 1 {
			t.Errorf("stats %+v", n)
		}
		// The dead one comes back, and learns who is whose.
		s.enrp[1] = two.ENRP()[0]
		back := s.start(1)
		s.wantHomes(back, elementHomes{1: 1})
	})
}

func TestThreeRegistrars(t *testing.T) {
	eachSecurity(t, 3, func(t *testing.T, s *scope) {
		all := []*member{s.start(0), s.start(1), s.start(2)}
		for i, m := range all {
			s.join(m, "pe-"+string(rune('1'+i))).ask(s.registration(wire.PEID(i+1)), &wire.RegistrationResponse{Pool: "web", PE: wire.PEID(i + 1)})
		}
		for _, m := range all {
			s.wantHomes(m, elementHomes{1: 1, 2: 2, 3: 3})
		}
		all[2].stop()
		s.await(all[0], "one of the two takes over", func(v View) bool { h := homes(v)[3]; return h == 1 || h == 2 })
		v, err := all[0].View(s.ctx)
		if err != nil {
			t.Fatal(err)
		}
		s.wantHomes(all[1], homes(v))
	})
}

// What we prove to another registrar proves nothing to us: a dial of ours that somebody leads back to us finds nobody (RFC 9257
// 4.1, the selfie attack).
func TestOurOwnIdentityIsRefused(t *testing.T) {
	s := newScope(t, 2, false)
	one := s.start(0)
	for _, at := range []netip.AddrPort{one.ASAP()[0], one.ENRP()[0]} {
		session, err := transport.Dial(s.ctx, transport.DialConfig{Remote: at, Identity: peerIdentity(0, 1), Keys: s.keys(0)})
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		if b, err := session.Read(s.ctx); !errors.Is(err, io.EOF) {
			t.Errorf("at %v it is told %x, %v", at, b, err)
		}
	}
	if n := one.Stats(); n.Closed["stranger"] != 2 {
		t.Errorf("closed %v", n.Closed)
	}
}

// Who has the key of an element, or of another pair, is no registrar.
func TestStrangersAreNoPeers(t *testing.T) {
	s := newScope(t, 2, false)
	one := s.start(0)
	for _, identity := range []string{"pe-1", peerIdentity(0, 1)} {
		session, err := transport.Dial(s.ctx, transport.DialConfig{Remote: s.enrp[0], Identity: identity, Keys: s.keys(0)})
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		if b, err := session.Read(s.ctx); err == nil {
			t.Errorf("%s is told %x", identity, b)
		}
	}
	if n := one.Stats(); n.Closed["stranger"] != 2 {
		t.Errorf("closed %v", n.Closed)
	}
}
