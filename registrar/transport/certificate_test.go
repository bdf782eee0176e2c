// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/transport/psk"
)

// bothSides listens with keys and a certificate on one port.
func bothSides(t *testing.T) (*Listener, *certificate, <-chan Refusal) {
	t.Helper()
	c := newCertificate(t, ecdsaKey(t))
	l, refusals := listen(t, ListenConfig{Certificate: c.get, HandshakeTimeout: patience})
	return l, c, refusals
}

func TestOnePortForKeysAndCertificates(t *testing.T) {
	l, c, refusals := bothSides(t)
	configs := map[Kind]DialConfig{
		Proven:    dialConfig(t, l),
		Anonymous: {Remote: l.Addr(), ServerName: serverName, Roots: c.roots},
	}
	for kind, cfg := range configs {
		client, err := Dial(testContext(t), cfg)
		if err != nil {
			t.Fatalf("%v: %v", kind, err)
		}
		defer client.Close()
		server, err := l.Accept(testContext(t))
		if err != nil {
			t.Fatalf("%v: %v", kind, err)
		}
		defer server.Close()
		if client.Kind() != kind || server.Kind() != kind {
			t.Errorf("%v and %v, want %v", client.Kind(), server.Kind(), kind)
		}
	}
	if len(refusals) > 0 {
		t.Errorf("%+v", <-refusals)
	}
}

// TestEveryVersionOfKeys: a key is offered by an extension in TLS 1.3, by suites
// in TLS 1.2, and by both when the client takes either.
func TestEveryVersionOfKeys(t *testing.T) {
	l, _, _ := bothSides(t)
	keys := loadKeys(t, "pe-1:"+keyA)
	for _, v := range [][2]psk.Version{{psk.TLS12, psk.TLS12}, {psk.TLS13, psk.TLS13}, {}} {
		cfg := psk.Config{Keys: keys, Identity: "pe-1", MinVersion: v[0], MaxVersion: v[1]}
		conn := psk.Client(rawDial(t, l), cfg)
		if err := conn.HandshakeContext(testContext(t)); err != nil {
			t.Errorf("%v: %v", v, err)
		}
		conn.Close()
		if s, err := l.Accept(testContext(t)); err != nil || s.Kind() != Proven {
			t.Errorf("%v: %v, %v", v, s, err)
		} else {
			s.Close()
		}
	}
}

// TestNoFallback: what proves the one is never taken for the other.
func TestNoFallback(t *testing.T) {
	c := newCertificate(t, ecdsaKey(t))
	other := newCertificate(t, ecdsaKey(t))
	keys := loadKeys(t, "pe-1:"+keyA)
	withKey := DialConfig{Identity: "pe-1", Keys: keys}
	withName := DialConfig{ServerName: serverName, Roots: c.roots}
	for _, tc := range []struct {
		name   string
		listen ListenConfig
		dial   DialConfig
	}{
		{"a key at a server with a certificate only", ListenConfig{Certificate: c.get}, withKey},
		{"a wrong key at a server with both", ListenConfig{Certificate: c.get, Keys: loadKeys(t, "pe-1:"+keyB)}, withKey},
		{"a name at a server with keys only", ListenConfig{Keys: keys}, withName},
		{"another name", ListenConfig{Certificate: c.get}, DialConfig{ServerName: "other.example", Roots: c.roots}},
		{"another address", ListenConfig{Certificate: c.get}, DialConfig{ServerName: "127.0.0.2", Roots: c.roots}},
		{"another authority", ListenConfig{Certificate: c.get}, DialConfig{ServerName: serverName, Roots: other.roots}},
		{"no certificate yet", ListenConfig{Certificate: func() *tls.Certificate { return nil }}, withName},
	} {
		t.Run(tc.name, func(t *testing.T) {
			refusals := make(chan Refusal, 1)
			tc.listen.Addr, tc.listen.OnRefused = loopback, func(r Refusal) { refusals <- r }
			l, err := Listen(testContext(t), tc.listen)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			tc.dial.Remote = l.Addr()
			if s, err := Dial(testContext(t), tc.dial); err == nil {
				s.Close()
				t.Error("the client got a session")
			}
			if r := refusal(t, refusals); r.Reason != ReasonHandshake {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestServerByAddress: RFC 5352 9.2 knows addresses as identities too.
func TestServerByAddress(t *testing.T) {
	l, c, _ := bothSides(t)
	s, err := Dial(testContext(t), DialConfig{Remote: l.Addr(), ServerName: "127.0.0.1", Roots: c.roots})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Peer() != "127.0.0.1" {
		t.Errorf("the server is %q", s.Peer())
	}
}

func TestCertificateIsAskedForEachTime(t *testing.T) {
	first, second := newCertificate(t, ecdsaKey(t)), newCertificate(t, ecdsaKey(t))
	shown := make(chan *certificate, 2)
	shown <- first
	shown <- second
	l, _ := listen(t, ListenConfig{Certificate: func() *tls.Certificate { return (<-shown).get() }})
	for _, c := range []*certificate{first, second} {
		s, err := Dial(testContext(t), DialConfig{Remote: l.Addr(), ServerName: serverName, Roots: c.roots})
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
}

// TestNoTickets: a ticket would come back as a pre-shared key.
func TestNoTickets(t *testing.T) {
	l, c, _ := bothSides(t)
	cfg := &tls.Config{ServerName: serverName, RootCAs: c.roots, ClientSessionCache: tls.NewLRUClientSessionCache(8)}
	for range 2 {
		conn := tls.Client(rawDial(t, l), cfg)
		if _, err := conn.Write(message(8)); err != nil {
			t.Fatal(err)
		}
		s, err := l.Accept(testContext(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Write(testContext(t), message(8)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 8)); err != nil { // it would have read the tickets before
			t.Fatal(err)
		}
		if conn.ConnectionState().DidResume {
			t.Error("the client resumed a session")
		}
		conn.Close()
		s.Close()
	}
}

// TestOldSuite: TLS_RSA_WITH_AES_128_CBC_SHA, of RFC 5352 9.2, goes only where it
// was asked for, and is the last choice even there.
func TestOldSuite(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c := newCertificate(t, key)
	oldClients(t, c)
	oldServer(t, c)
}

func oldClients(t *testing.T, c *certificate) {
	for _, tc := range []struct {
		name  string
		allow bool
		peer  *tls.Config
		suite uint16
	}{
		{"not allowed", false, &tls.Config{CipherSuites: []uint16{oldSuite}, MaxVersion: tls.VersionTLS12}, 0},
		{"allowed", true, &tls.Config{CipherSuites: []uint16{oldSuite}, MaxVersion: tls.VersionTLS12}, oldSuite},
		{"a better one", true, &tls.Config{MaxVersion: tls.VersionTLS12}, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, _ := listen(t, ListenConfig{Certificate: c.get, OldSuite: tc.allow})
			tc.peer.ServerName, tc.peer.RootCAs = serverName, c.roots
			conn := tls.Client(rawDial(t, l), tc.peer)
			defer conn.Close()
			err := conn.HandshakeContext(testContext(t))
			if (err == nil) != (tc.suite != 0) {
				t.Fatalf("handshake: %v", err)
			}
			if got := conn.ConnectionState().CipherSuite; got != tc.suite {
				t.Errorf("suite %s", tls.CipherSuiteName(got))
			}
		})
	}
}

// oldServer: a client takes the old suite only where it was told to.
func oldServer(t *testing.T, c *certificate) {
	old, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{c.Certificate}, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{oldSuite},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	go func() {
		for {
			conn, err := old.Accept()
			if err != nil {
				return
			}
			_ = conn.(*tls.Conn).Handshake()
		}
	}()
	for _, allow := range []bool{false, true} {
		s, err := Dial(testContext(t), DialConfig{
			Remote: addrPort(old.Addr()), ServerName: serverName, Roots: c.roots, OldSuite: allow,
		})
		if (err == nil) != allow {
			t.Errorf("allowed: %v; %v", allow, err)
		}
		if err == nil {
			s.Close()
		}
	}
}

// TestSuspectServer: the error says what is wrong with the server's identity (RFC
// 5352 9.2), and the caller can tell.
func TestSuspectServer(t *testing.T) {
	l, c, _ := bothSides(t)
	_, err := Dial(testContext(t), DialConfig{Remote: l.Addr(), ServerName: "other.example", Roots: c.roots})
	if _, ok := errors.AsType[x509.HostnameError](err); !ok {
		t.Errorf("%v", err)
	}
}

// TestCertificateHandshakeHasBounds: of time and of bytes.
func TestCertificateHandshakeHasBounds(t *testing.T) {
	c := newCertificate(t, ecdsaKey(t))
	l, refusals := listen(t, ListenConfig{Certificate: c.get, HandshakeTimeout: 100 * time.Millisecond})
	conn := rawDial(t, l)
	if _, err := conn.Write([]byte{recordHandshake, 3, 1}); err != nil {
		t.Fatal(err)
	}
	refusedConn(t, conn)
	if r := refusal(t, refusals); r.Reason != ReasonTimeout || !errors.Is(r.Err, context.DeadlineExceeded) {
		t.Errorf("%+v", r)
	}
}

// TestGoodbyeIsShort: crypto/tls alone would wait 5 s for its own when the buffers
// are full; here, nobody reads.
func TestGoodbyeIsShort(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	c := newOpening(near)
	written := make(chan error, 2)
	go func() { _, err := c.Write([]byte{1}); written <- err }()
	c.goodbye()
	if err := c.SetWriteDeadline(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	go func() { _, err := c.Write([]byte{1}); written <- err }()
	for range 2 {
		if err := <-written; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v", err)
		}
	}
}
