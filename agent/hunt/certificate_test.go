// SPDX-License-Identifier: Apache-2.0

package hunt

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/wire"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{t: t}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.key, a.cert = a.sign(template, nil, nil)
	return a
}

// sign makes a key, and its certificate by a parent; without one it signs itself.
func (a authority) sign(template, parent *x509.Certificate, by *ecdsa.PrivateKey) (*ecdsa.PrivateKey, *x509.Certificate) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	if parent == nil {
		parent, by = template, key
	}
	template.SerialNumber = big.NewInt(1)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return key, cert
}

func (a authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// registrar listens on loopback with a certificate for these names and addresses.
func (a authority) registrar(names ...string) netip.AddrPort {
	a.t.Helper()
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "registrar"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	key, cert := a.sign(template, a.cert, a.key)
	certificate := &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
	l, err := transport.Listen(a.t.Context(), transport.ListenConfig{
		Addr: netip.MustParseAddrPort("127.0.0.1:0"), HandshakeTimeout: patience,
		Certificate: func() *tls.Certificate { return certificate },
	})
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { l.Close() })
	return l.Addr()
}

// RFC 5352 9.2: what is configured of a registrar is what its certificate must be for.
func TestReferenceIdentity(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	for _, test := range []struct {
		name       string
		by         authority
		of         []string // the certificate
		host       string   // as configured; "": it announced itself
		serverName string
		suspect    string // "": taken
	}{
		{"the address", ca, []string{"127.0.0.1"}, "127.0.0.1", "", ""},
		{"another address", ca, []string{"10.0.0.1"}, "127.0.0.1", "", "the registrar's identity is suspect: "},
		{"the name", ca, []string{"registrar.example"}, "registrar.example", "", ""},
		{"the name in other letters", ca, []string{"registrar.example"}, "Registrar.EXAMPLE", "", ""},
		{"a name beyond ASCII", ca, []string{"xn--registrr-6za.example"}, "Registrär.example", "", ""},
		{"a server name beyond ASCII", ca, []string{"xn--registrr-6za.example"}, "127.0.0.1", "registrär.example", ""},
		{"another name beyond ASCII", ca, []string{"xn--registrr-6za.example"}, "registrår.example", "", "the registrar's identity is suspect: "},
		{"a wildcard", ca, []string{"*.example"}, "registrar.example", "", ""},
		{"a wildcard of one label more", ca, []string{"*.example"}, "a.registrar.example", "", "the registrar's identity is suspect: "},
		{"another name", ca, []string{"other.example"}, "registrar.example", "", "the registrar's identity is suspect: "},
		{"the address that a name leads to", ca, []string{"127.0.0.1"}, "registrar.example", "", "the registrar's identity is suspect: "},
		{"the server name", ca, []string{"registrar.example"}, "127.0.0.1", "registrar.example", ""},
		{"not the server name", ca, []string{"127.0.0.1"}, "127.0.0.1", "registrar.example", "the registrar's identity is suspect: "},
		{"another authority", stranger, []string{"127.0.0.1"}, "127.0.0.1", "", "the registrar's identity is suspect: "},
		{"a hint with the server name", ca, []string{"registrar.example"}, "", "registrar.example", ""},
		{"a hint without one", ca, []string{"127.0.0.1"}, "", "", "it has only announced itself"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dial := Dialer(transport.DialConfig{ServerName: test.serverName, Roots: ca.pool()}, nil)
			s, err := dial(t.Context(), Target{Host: test.host, Protocol: wire.ProtocolTCP, Remote: test.by.registrar(test.of...)})
			if test.suspect != "" {
				if err == nil || !strings.HasPrefix(err.Error(), test.suspect) {
					t.Errorf("error %v, want %s…", err, test.suspect)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if s.Kind() != transport.Anonymous {
				t.Errorf("the session is %v, want anonymous", s.Kind())
			}
		})
	}
}

func TestSuspectIsLoggedAndTheNextIsTaken(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	var log bytes.Buffer
	impostor, registrar := stranger.registrar("127.0.0.1"), ca.registrar("127.0.0.1")
	h, err := New(Config[*transport.Session]{
		Registrars: []Registrar{{"127.0.0.1", impostor.Port()}, {"127.0.0.1", registrar.Port()}},
		Dial:       Dialer(transport.DialConfig{Roots: ca.pool()}, nil),
		Log:        slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	found, err := h.Round(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer found.Session.Close()
	if found.Target.Remote != registrar {
		t.Errorf("found %v, want %v", found.Target, registrar)
	}
	h.Failed(found.Target) // so that the suspect is asked again, which says nothing new
	h.failed[impostor] = h.failed[impostor].Add(-time.Second)
	again, err := h.Round(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again.Session.Close()
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "level=WARN") || !strings.Contains(got, impostor.String()) || !strings.Contains(got, "identity is suspect") {
		t.Errorf("logged %q, want the suspect, once", got)
	}
}

func TestPlain(t *testing.T) {
	l, err := transport.Listen(t.Context(), transport.ListenConfig{Addr: netip.MustParseAddrPort("127.0.0.1:0"), Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dial := Dialer(transport.DialConfig{Plain: true}, nil)
	s, err := dial(t.Context(), Target{Protocol: wire.ProtocolTCP, Remote: l.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Kind() != transport.Plain {
		t.Errorf("the session is %v, want plain", s.Kind())
	}
}
