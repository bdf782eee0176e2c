// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"
)

// RFC 5352 9.2: a pool user that has nothing but TLS_RSA_WITH_AES_128_CBC_SHA is served where that is switched on.
func TestOldSuite(t *testing.T) {
	own, roots := rsaCertificate(t)
	for _, allowed := range []bool{false, true} {
		s := serveTLS(t, func(c *Config) {
			c.Certificate, c.OldSuite = func() *tls.Certificate { return own }, allowed
		})
		dialer := tls.Dialer{Config: &tls.Config{
			ServerName: "127.0.0.1", RootCAs: roots, MaxVersion: tls.VersionTLS12,
			CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA},
		}}
		conn, err := dialer.DialContext(s.ctx, "tcp", s.Addr().String())
		if (err == nil) != allowed {
			t.Errorf("allowed: %v; error %v", allowed, err)
		}
		if err == nil {
			conn.Close()
		}
	}
}

// rsaCertificate is one for 127.0.0.1 that signs itself, and who trusts in it.
func rsaCertificate(t *testing.T) (*tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
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
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}
