// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/transport/psk"
	"github.com/weir-lb/weir/registrar/wire"
	"github.com/weir-lb/weir/test/require"
)

// serverName is what the test's certificate is for, beside its addresses.
const serverName = "registrar.example"

// way is one way for a session to be carried.
type way struct {
	protocol wire.Protocol
	kind     Kind
	v6       bool
}

// ways has proven over TCP first.
var ways = []way{
	{protocol: wire.ProtocolTCP, kind: Proven},
	{protocol: wire.ProtocolTCP, kind: Anonymous},
	{protocol: wire.ProtocolTCP, kind: Plain},
	{protocol: wire.ProtocolSCTP, kind: Proven},
	{protocol: wire.ProtocolSCTP, kind: Anonymous},
	{protocol: wire.ProtocolSCTP, kind: Plain},
}

func (w way) String() string { return w.protocol.String() + " " + w.kind.String() }

// host is where both ends are.
func (w way) host() netip.Addr {
	if w.v6 {
		return netip.IPv6Loopback()
	}
	return loopback.Addr()
}

// whole says that each message is one of SCTP, and that there is no stream.
func (w way) whole() bool { return w.kind == Plain && w.protocol == wire.ProtocolSCTP }

// overAll runs test over each way that this machine has.
func overAll(t *testing.T, test func(t *testing.T, w way)) {
	for _, w := range ways {
		t.Run(w.String(), func(t *testing.T) {
			w.need(t)
			test(t, w)
		})
	}
}

// overBothFamilies runs test over each way, with IPv4 and with IPv6.
func overBothFamilies(t *testing.T, test func(t *testing.T, w way)) {
	for family, v6 := range map[string]bool{"IPv4": false, "IPv6": true} {
		t.Run(family, func(t *testing.T) {
			overAll(t, func(t *testing.T, w way) {
				w.v6 = v6
				test(t, w)
			})
		})
	}
}

// overStreams leaves out the ways that have no stream of bytes.
func overStreams(t *testing.T, test func(t *testing.T, w way)) {
	overAll(t, func(t *testing.T, w way) {
		if w.whole() {
			t.Skip("there is no stream")
		}
		test(t, w)
	})
}

// overTLS leaves out the ways that cannot tell an end from a connection that broke.
func overTLS(t *testing.T, test func(t *testing.T, w way)) {
	overAll(t, func(t *testing.T, w way) {
		if w.kind == Plain {
			t.Skip("there is no TLS")
		}
		test(t, w)
	})
}

// configs fills in what both sides need.
func (w way) configs(t testing.TB) (listen ListenConfig, dial DialConfig) {
	t.Helper()
	listen = ListenConfig{Protocol: w.protocol, PPID: 11, Addr: netip.AddrPortFrom(w.host(), 0)}
	dial = DialConfig{Protocol: w.protocol, PPID: 11, HandshakeTimeout: patience}
	switch w.kind {
	case Proven:
		listen.Keys = loadKeys(t, "pe-1:"+keyA)
		dial.Identity, dial.Keys = "pe-1", listen.Keys
	case Anonymous:
		c := newCertificate(t, ecdsaKey(t))
		listen.Certificate, dial.Roots, dial.ServerName = c.get, c.roots, serverName
	case Plain:
		listen.Plain, dial.Plain = true, true
	}
	return listen, dial
}

// sessions returns both ends of a session over the loopback interface.
func (w way) sessions(t testing.TB) (client, server *Session) {
	t.Helper()
	listen, dial := w.configs(t)
	l, err := Listen(testContext(t), listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	dial.Remote = l.Addr()
	if client, err = Dial(testContext(t), dial); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if server, err = l.Accept(testContext(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return client, server
}

// certificate is a server's, and who vouches for it: itself.
type certificate struct {
	tls.Certificate
	roots *x509.CertPool
}

func (c *certificate) get() *tls.Certificate { return &c.Certificate }

func ecdsaKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newCertificate(t testing.TB, key crypto.Signer) *certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{serverName}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	own, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	c := &certificate{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, x509.NewCertPool()}
	c.roots.AddCert(own)
	return c
}

// rawWrite writes to the stream that carries a session's messages.
func rawWrite(s *Session, p []byte) (int, error) { return s.carrier.(*stream).Write(p) }

// kernelConn is the connection below what carries a session.
func kernelConn(s *Session) net.Conn {
	switch c := s.carrier.(*stream).conn.(type) {
	case *psk.Conn:
		return c.NetConn().(*opening).Conn
	case *certified:
		return c.below.Conn
	case net.Conn:
		return c
	}
	return nil
}

// need skips what this machine has not.
func (w way) need(t testing.TB) {
	t.Helper()
	if w.protocol == wire.ProtocolSCTP {
		require.Need(t, require.SCTP)
	}
}
