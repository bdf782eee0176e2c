// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/wire"
)

// dialAs begins a session of any kind with a secured registrar.
func (b *bench) dialAs(w *town, from string, kind transport.Kind) *half {
	near, far := w.pipe(netip.MustParseAddrPort(from), netip.MustParseAddrPort("10.0.0.254:3864"), kind)
	b.listener.conns <- far
	return near
}

func (h *half) ended() bool {
	select {
	case <-h.out.over:
		return true
	default:
		return false
	}
}

// Pool users that prove nothing may have half of all places, so that elements always find one.
func TestAnonymousSessionsHaveHalfThePlaces(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		w := &town{t: t}
		users := []*half{
			b.dialAs(w, "10.0.1.1:1", transport.Anonymous), b.dialAs(w, "10.0.1.2:1", transport.Anonymous),
			b.dialAs(w, "10.0.1.3:1", transport.Anonymous),
		}
		synctest.Wait()
		if users[0].ended() || users[1].ended() || !users[2].ended() {
			t.Error("of three anonymous sessions not just the last was turned away")
		}
		b.enrol(t, "pe-1", 1)
		if n := b.Stats(); n.Closed["too_many"] != 1 || n.Sessions != 3 {
			t.Errorf("%+v", n)
		}
		answer := users[0].ask(t, registration("web", 7, "10.0.1.1"))
		if r, ok := answer.(*wire.RegistrationResponse); !ok || !r.Reject || r.Causes[0].Code != wire.CauseSecurity {
			t.Errorf("an anonymous registration is answered %+v", answer)
		}
		close(users[1].over)
		synctest.Wait()
		again := b.dialAs(w, "10.0.1.3:1", transport.Anonymous)
		synctest.Wait()
		if again.ended() {
			t.Error("a place that became free is not given again")
		}
	}, func(c *Config) { c.MaxSessions = 4 })
}

// Many users behind one address are many; too many take each other's places, and nobody else's.
func TestSessionsOfOneAddress(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		w := &town{t: t}
		first := b.dialAs(w, "10.0.1.1:1", transport.Anonymous)
		other := b.dialAs(w, "10.0.1.2:1", transport.Anonymous)
		for range maxPerAddress {
			b.dialAs(w, "10.0.1.1:1", transport.Anonymous)
		}
		synctest.Wait()
		if !first.ended() || other.ended() {
			t.Error("not the oldest session of the address gave way")
		}
	}, func(c *Config) { c.MaxSessions = 10_000 })
}

// The log of addresses without keys is bounded too.
func TestJournalForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(testConfig(nil, newObserver(), newGate()).Log)
		for i := range 3 * maxNames {
			j.write(0, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String(), "hello")
		}
		if n := len(j.used); n > maxNames+1 {
			t.Errorf("%d names are remembered, want at most %d", n, maxNames)
		}
		time.Sleep(logPeriod)
		j.write(0, "10.1.0.1", "hello")
		if n := len(j.used); n != 1 {
			t.Errorf("%d names are remembered after a period, want 1", n)
		}
	})
}

// One port for those with a key and those who look at a certificate.
func TestCertificateBesideKeys(t *testing.T) {
	certificate, roots := selfSigned(t)
	s := serveTLS(t, func(c *Config) { c.Certificate = func() *tls.Certificate { return certificate } })
	s.dial("pe-1").enrol(1)
	user, err := transport.Dial(s.ctx, transport.DialConfig{Remote: s.Addr(), ServerName: "registrar.test", Roots: roots})
	if err != nil {
		t.Fatal(err)
	}
	defer user.Close()
	element{user, s}.send(&wire.HandleResolution{Pool: "web"})
	answer, ok := element{user, s}.receive().(*wire.HandleResolutionResponse)
	if !ok || len(answer.Elements) != 1 {
		t.Errorf("answered %+v", answer)
	}
}

func selfSigned(t *testing.T) (*tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "registrar.test"}, DNSNames: []string{"registrar.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// A secured registrar's plain port is there to say no, in the words of either protocol, and for nothing else.
func TestPlainPortsSayNo(t *testing.T) {
	s := newScope(t, 1, false)
	at := netip.AddrPortFrom(s.enrp[0].Addr(), 9901)
	m := s.start(0, func(c *Config) {
		c.RejectASAP = []Listener{{Addr: netip.AddrPortFrom(at.Addr(), 3863)}}
		c.RejectENRP = []Listener{{Addr: at}}
	})
	presence, err := wire.AppendENRP(nil, &wire.Presence{Servers: wire.Servers{Sender: 9}})
	if err != nil {
		t.Fatal(err)
	}
	if causes := refused(t, s.ctx, at, presence, func(b []byte) []wire.ErrorCause {
		e, _ := wire.ParseENRP(b)
		if e, ok := e.(*wire.ENRPErrorMessage); ok {
			return e.Causes
		}
		return nil
	}); len(causes) != 1 || causes[0].Code != wire.CauseSecurity {
		t.Errorf("a plain presence is answered with %v", causes)
	}
	resolution, err := wire.AppendASAP(nil, &wire.HandleResolution{Pool: "web"})
	if err != nil {
		t.Fatal(err)
	}
	if causes := refused(t, s.ctx, netip.AddrPortFrom(at.Addr(), 3863), resolution, func(b []byte) []wire.ErrorCause {
		r, _ := wire.ParseASAP(b)
		if r, ok := r.(*wire.HandleResolutionResponse); ok {
			return r.Causes
		}
		return nil
	}); len(causes) != 1 || causes[0].Code != wire.CauseSecurity {
		t.Errorf("a plain resolution is answered with %v", causes)
	}
	secured := transport.DialConfig{Remote: netip.AddrPortFrom(at.Addr(), 3863), Identity: "pe-1", Keys: s.keys(0)}
	if session, err := transport.Dial(s.ctx, secured); err == nil {
		session.Close()
		t.Error("who has a key gets a session at the plain port")
	}
	s.await(m, "three refusals and no session", func(View) bool {
		n := m.Stats()
		return n.Opened == 0 && n.Refused[transport.ReasonPlain] == 2 && n.Refused[transport.ReasonHandshake] == 1
	})
}

// refused sends one message without TLS, and returns the causes in the answer.
func refused(t *testing.T, ctx context.Context, at netip.AddrPort, b []byte, causes func([]byte) []wire.ErrorCause) []wire.ErrorCause {
	t.Helper()
	session, err := transport.Dial(ctx, transport.DialConfig{Remote: at, Plain: true})
	if err == nil {
		defer session.Close()
		err = session.Write(ctx, b)
	}
	if err == nil {
		b, err = session.Read(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	return causes(b)
}
