// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/wire"
)

func TestEnrolResolveLeave(t *testing.T) {
	s := serveTLS(t)
	one, two := s.dial("pe-1"), s.dial("pe-2")
	one.enrol(1)
	s.observer.want(t, "web: 01 up")
	two.enrol(2)
	s.observer.want(t, "web: 01 up 02 up")

	want := registration("web", 1, "10.0.0.1").Element
	want.Home = serverID
	only, overall := uint32(1), wire.RoundRobin()
	two.ask(&wire.HandleResolution{Pool: "web", Items: &only},
		&wire.HandleResolutionResponse{Pool: "web", Policy: &overall, Elements: []wire.PoolElement{want}})

	one.ask(&wire.Deregistration{Pool: "web", PE: 1}, &wire.DeregistrationResponse{Pool: "web", PE: 1})
	s.observer.want(t, "web: 02 up 01 deregistered")
	if n := s.Stats(); n.Registrations != 2 || n.Resolutions != 1 || n.Departed["deregistered"] != 1 || n.Sessions != 2 {
		t.Errorf("stats %+v", n)
	}
}

func TestNotGranted(t *testing.T) {
	s := serveTLS(t)
	one, two, three := s.dial("pe-1"), s.dial("pe-2"), s.dial("pe-3")
	one.enrol(1)
	s.observer.want(t, "web: 01 up")
	rejected := func(pool wire.PoolHandle, id wire.PEID) wire.Message {
		return &wire.RegistrationResponse{Reject: true, Pool: pool, PE: id, Causes: security()}
	}
	two.ask(registration("bank", 2, "10.0.0.2"), rejected("bank", 2))
	two.ask(registration("web", 2, "10.0.1.2"), rejected("web", 2))
	three.ask(registration("web", 3, "10.0.0.3"), rejected("web", 3))
	two.ask(&wire.Deregistration{Pool: "web", PE: 1},
		&wire.DeregistrationResponse{Pool: "web", PE: 1, Causes: security()})
	two.ask(registration("web", 1, "10.0.0.2"), &wire.RegistrationResponse{
		Reject: true, Pool: "web", PE: 1, Causes: []wire.ErrorCause{{Code: wire.CauseNonUniquePEID}},
	})
	s.observer.wantNothingMore(t)
	if n := s.Stats(); n.Rejected[wire.CauseSecurity.String()] != 4 || n.Elements != 1 {
		t.Errorf("stats %+v", n)
	}
}

// Threats draft 2.1.3: no state before the peer is authenticated.
func TestStrangersLeaveNothing(t *testing.T) {
	refused := make(refusals, 100)
	s := serveTLS(t, func(c *Config) { c.Log = slog.New(refused) })
	plain, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	message, err := wire.AppendASAP(nil, registration("web", 1, "10.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plain.Write(message); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(plain)
	want, _ := wire.AppendASAP(nil, &wire.RegistrationResponse{Reject: true, Pool: "web", PE: 1, Causes: security()})
	if err != nil || !bytes.Equal(answer, want) { // threats draft 2.15.3
		t.Errorf("a plain registration is answered %x, %v, want %x", answer, err, want)
	}
	other := newKeyFile(t, "somebody", "pe-1") // pe-1 with another key
	for _, identity := range []string{"pe-1", "somebody"} {
		_, err := transport.Dial(s.ctx, transport.DialConfig{Remote: s.Addr(), Identity: identity, Keys: other.load(t)})
		if err == nil {
			t.Errorf("%s got a session", identity)
		}
	}
	for range 3 {
		refused.wait(t)
	}
	s.dial("pe-1").enrol(1)
	s.observer.want(t, "web: 01 up")
	n := s.Stats()
	if n.Opened != 1 || n.Elements != 1 || n.Registrations != 1 || n.Refused[transport.ReasonHandshake] != 2 ||
		n.Refused[transport.ReasonPlain] != 1 {
		t.Errorf("stats %+v", n)
	}
}

func TestTwoSessionsOfOneIdentity(t *testing.T) {
	s := serveTLS(t)
	first, second := s.dial("pe-1"), s.dial("pe-1")
	first.enrol(1)
	second.enrol(2)
	s.observer.want(t, "web: 01 up", "web: 01 up 02 up")
	second.enrol(1) // takes it over: the first session's end is no news
	s.observer.want(t, "web: 01 up 02 up")
	second.ask(&wire.HandleResolution{Pool: "none"}, &wire.HandleResolutionResponse{
		Pool: "none", Causes: []wire.ErrorCause{{Code: wire.CauseUnknownPoolHandle}},
	})
	first.Close()
	second.Close()
	s.observer.want(t, "web: 01 away 02 away")
}

func TestAwayThenLost(t *testing.T) {
	s := serveTLS(t, func(c *Config) { c.Grace = 50 * time.Millisecond })
	one := s.dial("pe-1")
	one.enrol(1)
	s.observer.want(t, "web: 01 up")
	if s.gate.expiry(one.LocalAddrs()[0]).IsZero() {
		t.Error("the gate is closed for an authenticated peer")
	}
	one.Close()
	s.observer.want(t, "web: 01 away", "web: 01 lost")
	if !s.gate.expiry(one.LocalAddrs()[0]).IsZero() {
		t.Error("the gate is open after the session")
	}
}

func TestSilentElementIsLost(t *testing.T) {
	s := serveTLS(t, func(c *Config) {
		c.KeepAlive = KeepAlive{Interval: 40 * time.Millisecond, Timeout: 40 * time.Millisecond}
	})
	one := s.dial("pe-1")
	one.enrol(1)
	one.wantClosed()
	s.observer.want(t, "web: 01 up", "web: 01 lost")
}

func TestFloodOfGarbage(t *testing.T) {
	s := serveTLS(t)
	honest, bad := s.dial("pe-1"), s.dial("pe-2")
	bad.enrol(2)
	s.observer.want(t, "web: 02 up")
	for {
		if err := bad.Write(s.ctx, []byte{1, 0, 0, 8, 0, 9, 0, 99}); err != nil {
			break // a parameter longer than its message, until the session is closed
		}
	}
	s.observer.want(t, "web: 02 away")
	honest.enrol(1)
	if n := s.Stats(); n.Malformed != maxMalformed || n.Closed["malformed"] != 1 {
		t.Errorf("stats %+v", n)
	}
}

func TestKeyTakenAway(t *testing.T) {
	s := serveTLS(t)
	one, two := s.dial("pe-1"), s.dial("pe-2")
	one.enrol(1)
	two.enrol(2)
	s.observer.want(t, "web: 01 up", "web: 01 up 02 up")
	s.file.write(t, "pe-1")
	if err := s.keys.Reload(); err != nil {
		t.Fatal(err)
	}
	s.Reload([]Grant{grant("pe-1"), grant("pe-2")})
	want := &wire.DeregistrationResponse{Pool: "web", PE: 2, Causes: security()}
	if got := two.receive(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	two.wantClosed()
	s.observer.want(t, "web: 01 up 02 revoked")
	one.enrol(1)
	if n := s.Stats().Closed["revoked"]; n != 1 {
		t.Errorf("%d sessions closed as revoked, want 1", n)
	}
}

func TestNewNamesEveryFault(t *testing.T) {
	_, err := New(Config{Grace: -1})
	if err == nil {
		t.Fatal("an empty configuration is accepted")
	}
	for _, part := range []string{"listen", "identifier", "keys", "grace", "interval", "timeout", "log"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %s", err, part)
		}
	}
}

func TestNewFailsEarly(t *testing.T) {
	s := serveTLS(t)
	cfg := testConfig(s.keys, s.observer, s.gate)
	cfg.ASAP[0].Addr = s.Addr()
	if r, err := New(cfg); err == nil {
		r.Close()
		t.Error("two registrars listen at one address")
	}
	cfg.ASAP[0].Addr = netip.MustParseAddrPort("127.0.0.1:0")
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil { // never ran
		t.Error(err)
	}
}
