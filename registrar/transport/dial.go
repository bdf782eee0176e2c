// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/weir-lb/weir/registrar/transport/psk"
	"github.com/weir-lb/weir/registrar/wire"
)

// DialConfig is what Dial needs: where to, and exactly one of Keys with Identity,
// ServerName, and Plain.
type DialConfig struct {
	// Protocol is TCP, also if it is zero, or SCTP.
	Protocol wire.Protocol
	// Remote is the other end.
	Remote netip.AddrPort
	// More are other addresses of the same end, with the same port; SCTP only.
	More []netip.Addr
	// Local are the addresses to come from, one over TCP; none: the kernel's choice.
	Local []netip.Addr
	// LocalPort is the port to come from; zero is the kernel's choice.
	LocalPort uint16
	// PPID is the payload protocol identifier of SCTP: 11 for ASAP, 12 for ENRP.
	PPID uint32

	// Identity is what this end proves with its key in Keys.
	Identity string
	Keys     *psk.Keys
	// ServerName is the host name, or the address, that the server's certificate
	// must be for (RFC 5352 9.2): this end proves nothing. See ASCIIName.
	ServerName string
	// Roots are the authorities to trust in; nil is the system's.
	Roots *x509.CertPool
	// OldSuite offers TLS_RSA_WITH_AES_128_CBC_SHA too, for a server of RFC 5352
	// that has no better.
	OldSuite bool
	// Plain speaks without TLS.
	Plain bool

	// HandshakeTimeout bounds connecting and the handshake together; zero is 5 s.
	HandshakeTimeout time.Duration
}

// validate also brings ServerName into the form in which certificates have it.
func (cfg *DialConfig) validate() error {
	ways := 0
	for _, way := range []bool{cfg.Keys != nil, cfg.ServerName != "", cfg.Plain} {
		if way {
			ways++
		}
	}
	if ways != 1 {
		return errors.New("exactly one of keys, a server's name and no TLS at all must be chosen")
	}
	var err error
	cfg.ServerName, err = ASCIIName(cfg.ServerName)
	return err
}

// Dial connects, and returns a session when what cfg asks for has been proved. It
// does not tell a wrong key from an identity that the other end does not know.
func Dial(ctx context.Context, cfg DialConfig) (*Session, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("connect to %v: %w", cfg.Remote, err)
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout(cfg.HandshakeTimeout))
	defer cancel()
	s, err := connect(ctx, &cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Plain {
		return newSession(s, s.plain, Plain, ""), nil
	}
	return secure(ctx, s, &cfg)
}

// secure runs the client's side of TLS.
func secure(ctx context.Context, s *socket, cfg *DialConfig) (*Session, error) {
	c := newOpening(s.Conn)
	if cfg.Keys == nil {
		conn, err := clientCertificate(ctx, c, cfg)
		if err != nil {
			_ = c.Close() // the handshake's error is what counts
			return nil, fmt.Errorf("verify that %v is %q: %w", cfg.Remote, cfg.ServerName, err)
		}
		return newSession(s, newStream(conn), Anonymous, cfg.ServerName), nil
	}
	conn, err := proveKey(ctx, c, psk.Client(c, psk.Config{Keys: cfg.Keys, Identity: cfg.Identity}))
	if err != nil {
		return nil, fmt.Errorf("prove %q to %v: %w", cfg.Identity, cfg.Remote, err)
	}
	return newSession(s, newStream(conn), Proven, conn.PeerIdentity()), nil
}

// proveKey runs the handshake of either side, and closes what fails.
func proveKey(ctx context.Context, c *opening, conn *psk.Conn) (*psk.Conn, error) {
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the handshake's error is what counts
		return nil, err
	}
	c.opened()
	return conn, nil
}
