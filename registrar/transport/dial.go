// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/weir-lb/weir/registrar/transport/psk"
)

// DialConfig is what Dial needs.
type DialConfig struct {
	// Remote is the registrar.
	Remote netip.AddrPort
	// Local is the address to come from; not valid: the kernel's choice.
	Local netip.Addr
	// Identity is what this end proves with its key in Keys.
	Identity string
	Keys     *psk.Keys
	// HandshakeTimeout bounds connecting and the handshake together; zero is 5 s.
	HandshakeTimeout time.Duration
}

// Dial connects, and returns a session when both ends have proved the key of
// cfg.Identity. It does not tell a wrong key from an identity that the other end
// does not know.
func Dial(ctx context.Context, cfg DialConfig) (*Session, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout(cfg.HandshakeTimeout))
	defer cancel()
	conn, err := connect(ctx, cfg)
	if err != nil {
		return nil, err // it names the address already
	}
	tls := psk.Client(conn, psk.Config{Keys: cfg.Keys, Identity: cfg.Identity})
	if err := tls.HandshakeContext(ctx); err != nil {
		_ = tls.Close() // the handshake's error is what counts
		return nil, fmt.Errorf("prove %q to %v: %w", cfg.Identity, cfg.Remote, err)
	}
	return newSession(tls), nil
}

func connect(ctx context.Context, cfg DialConfig) (*net.TCPConn, error) {
	dialer := net.Dialer{KeepAliveConfig: keepAlive()}
	dialer.SetMultipathTCP(false)
	if cfg.Local.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(cfg.Local, 0))
	}
	conn, err := dialer.DialContext(ctx, "tcp", cfg.Remote.String())
	if err != nil {
		return nil, err
	}
	tcp := conn.(*net.TCPConn) // what "tcp" dials
	if err := tune(tcp); err != nil {
		_ = tcp.Close()
		return nil, fmt.Errorf("connect to %v: %w", cfg.Remote, err)
	}
	return tcp, nil
}
