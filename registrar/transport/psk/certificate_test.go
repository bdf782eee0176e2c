// SPDX-License-Identifier: Apache-2.0

package psk

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"testing"
	"time"
)

// selfSigned is what a server without our key can show.
func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestClientRefusesCertificates(t *testing.T) {
	for _, v := range versions {
		t.Run(v.String(), func(t *testing.T) {
			client, accepted := pipe(t)
			server := tls.Server(accepted, &tls.Config{
				Certificates: []tls.Certificate{selfSigned(t)},
				MinVersion:   uint16(v), MaxVersion: uint16(v),
			})
			done := make(chan error, 1)
			go func() { done <- server.HandshakeContext(t.Context()); server.Close() }()
			c := Client(client, Config{Keys: loadKeys(t, "pe-1:"+keyA), Identity: "pe-1"})
			err := c.HandshakeContext(t.Context())
			c.Close()
			if err == nil {
				t.Error("the client took a certificate for the key")
			}
			if err := <-done; err == nil {
				t.Error("the server finished a handshake")
			}
		})
	}
}

func TestServerRefusesClientsWithoutKey(t *testing.T) {
	for _, v := range versions {
		t.Run(v.String(), func(t *testing.T) {
			conn, accepted := pipe(t)
			client := tls.Client(conn, &tls.Config{
				InsecureSkipVerify: true, // so that only the server can refuse
				Certificates:       []tls.Certificate{selfSigned(t)},
				MinVersion:         uint16(v), MaxVersion: uint16(v),
			})
			done := make(chan error, 1)
			go func() { done <- client.HandshakeContext(t.Context()); client.Close() }()
			s := Server(accepted, Config{Keys: loadKeys(t, "pe-1:"+keyA)})
			err := s.HandshakeContext(t.Context())
			s.Close()
			if err == nil {
				t.Error("the server let a client without a key in")
			}
			if err := <-done; err == nil {
				t.Error("the client finished a handshake")
			}
		})
	}
}
