// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
)

// oldSuite is what RFC 5352 9.2 asks for at least. It has no forward secrecy, so
// that it must be asked for.
const oldSuite = tls.TLS_RSA_WITH_AES_128_CBC_SHA

// suites12 are the suites of TLS 1.2 to offer, by preference; nil is crypto/tls'
// own choice, which leaves oldSuite out.
func suites12(old bool) []uint16 {
	if !old {
		return nil
	}
	var ids []uint16
	for _, s := range tls.CipherSuites() {
		ids = append(ids, s.ID)
	}
	return append(ids, oldSuite)
}

// certified is a TLS connection in which the server has a certificate.
type certified struct {
	*tls.Conn
	below *opening
}

// serverCertificate runs the server's side; the client proves nothing.
func serverCertificate(ctx context.Context, c *opening, cfg *ListenConfig) (*certified, error) {
	return handshakeCertificate(ctx, c, tls.Server(c, &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			if certificate := cfg.Certificate(); certificate != nil {
				return certificate, nil
			}
			return nil, errors.New("there is no certificate")
		},
		MinVersion:   tls.VersionTLS12,
		CipherSuites: suites12(cfg.OldSuite),
		// A ticket comes back as a pre-shared key, and would look like one of ours.
		SessionTicketsDisabled: true,
	}))
}

// clientCertificate runs the client's side, and checks the server's identity (RFC
// 5352 9.2): a name or an address among the certificate's subjectAltNames.
func clientCertificate(ctx context.Context, c *opening, cfg *DialConfig) (*certified, error) {
	return handshakeCertificate(ctx, c, tls.Client(c, &tls.Config{
		ServerName:   cfg.ServerName,
		RootCAs:      cfg.Roots,
		MinVersion:   tls.VersionTLS12,
		CipherSuites: suites12(cfg.OldSuite),
	}))
}

func handshakeCertificate(ctx context.Context, c *opening, conn *tls.Conn) (*certified, error) {
	err := conn.HandshakeContext(ctx)
	switch {
	case err == nil:
		c.opened()
		return &certified{conn, c}, nil
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	}
	return nil, fmt.Errorf("TLS with a certificate: %w", err)
}

// Close says close_notify if the buffers take it at once. crypto/tls waits there
// for a Read that answers a KeyUpdate: it has no longer than the goodbye either.
func (c *certified) Close() error {
	c.below.goodbye()
	_ = c.Conn.Close() // the second time, or when the goodbye cannot be said
	return nil
}
