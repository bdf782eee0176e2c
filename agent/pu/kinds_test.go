// SPDX-License-Identifier: Apache-2.0

package pu

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-lb/weir/agent/hunt"
	"github.com/weir-lb/weir/registrar"
	"github.com/weir-lb/weir/registrar/multicast"
	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/wire"
)

// certificate is one for 127.0.0.1 that signs itself, and who trusts in it.
func certificate(t *testing.T) (func(*registrar.Config), *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	own := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return func(c *registrar.Config) { c.Certificate = func() *tls.Certificate { return own } }, roots
}

// by sets how registrars prove themselves.
func by(d transport.DialConfig) func(*Config) {
	return func(c *Config) { c.Dial = hunt.Dialer(d, nil) }
}

// syncBuffer is a log that a test may read while the user writes it.
type syncBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func wantElement(t *testing.T, u *User, id wire.PEID) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	p, err := u.Resolve(ctx, "web")
	if err != nil || len(p.Elements) != 1 || p.Elements[0].ID != id {
		t.Errorf("resolved %+v, error %v, want %v", p, err, id)
	}
}

// RFC 5352 9.2: the certificate of somebody else is suspect, and the next registrar is asked.
func TestWrongCertificateThenTheNextRegistrar(t *testing.T) {
	stranger, _ := certificate(t)
	own, roots := certificate(t)
	impostor, r := serve(t, stranger), serve(t, own)
	enrol(t, impostor.Addr(), "pe-1", firstKey, element(6, wire.RoundRobin()))
	enrol(t, r.Addr(), "pe-1", firstKey, element(1, wire.RoundRobin()))
	var log syncBuffer
	u := user(t, func(c *Config) {
		by(transport.DialConfig{Roots: roots})(c)
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
	}, impostor.Addr(), r.Addr())
	wantElement(t, u, 1)
	u.Close()
	if got := log.String(); !strings.Contains(got, "identity is suspect") || !strings.Contains(got, impostor.Addr().String()) {
		t.Errorf("logged %q, want the suspect", got)
	}

	alone := user(t, by(transport.DialConfig{Roots: roots}), impostor.Addr())
	_, err := alone.Resolve(t.Context(), "web")
	if err == nil || !strings.Contains(err.Error(), "identity is suspect") {
		t.Errorf("error %v, want that the only registrar is suspect", err)
	}
}

// All or nothing (threats, 2.15): a secured registrar serves nobody without TLS, and the next one is asked.
func TestPlainUser(t *testing.T) {
	secured := serve(t, nil)
	r := serve(t, func(c *registrar.Config) { c.Unsecured, c.Keys, c.Grants = true, nil, nil })
	plain := transport.DialConfig{Plain: true}
	enrolBy(t, transport.DialConfig{Remote: r.Addr(), Plain: true}, element(1, wire.RoundRobin()))
	wantElement(t, user(t, by(plain), secured.Addr(), r.Addr()), 1)

	_, err := user(t, by(plain), secured.Addr()).Resolve(t.Context(), "web")
	if err == nil || !strings.Contains(err.Error(), "it wants TLS, or another identity") {
		t.Errorf("error %v, want that the registrar is secured", err)
	}
}

// A registrar that nobody configured announces itself, and proves its key.
func TestAnnouncedRegistrar(t *testing.T) {
	group := netip.MustParseAddrPort("239.0.0.50:38631")
	hints, err := hunt.Listen(group, "lo", 3864, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer hints.Close()
	r := serve(t, func(c *registrar.Config) {
		c.Announce, c.Timers.T6Serverannounce = registrar.Announce{Interface: "lo", ASAP: group}, 10*time.Millisecond
	})
	enrol(t, r.Addr(), "pe-1", firstKey, element(1, wire.RoundRobin()))
	liar := listen(t, "pu-1:"+otherKey) // announces itself as well
	g, err := multicast.Join(multicast.Config{Group: group, Interface: "lo"})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	at := liar.Addr()
	lie, err := wire.AppendASAP(nil, &wire.ServerAnnounce{Server: 1, Transports: []wire.Transport{
		{Protocol: wire.ProtocolTCP, Port: at.Port(), Addrs: []netip.Addr{at.Addr()}}}})
	if err == nil {
		err = g.Send(lie)
	}
	if err != nil {
		t.Fatal(err)
	}
	wantElement(t, user(t, func(c *Config) { c.Hints = hints }), 1)
}

// RFC 5352 3.5: the registrar asks an element that is reported before it believes the report.
func TestReportMakesTheRegistrarAsk(t *testing.T) {
	r := serve(t, nil)
	s := enrol(t, r.Addr(), "pe-1", firstKey, element(1, wire.RoundRobin()))
	u := user(t, nil, r.Addr())
	wantElement(t, u, 1)
	if err := u.ReportUnreachable(t.Context(), "web", 1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	for { // it may be asked for its home too
		b, err := s.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		m, err := wire.ParseASAP(b)
		if k, ok := m.(*wire.EndpointKeepAlive); err == nil && ok && !k.Home {
			return
		}
	}
}
