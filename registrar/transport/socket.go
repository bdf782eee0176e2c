// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

// defaultHandshakeTimeout covers the way from the connection to the finished
// handshake.
const defaultHandshakeTimeout = 5 * time.Second

// socket is a connection of the kernel's, of either protocol.
type socket struct {
	net.Conn // the stream of bytes that TLS runs over
	// plain carries messages without TLS.
	plain    carrier
	protocol wire.Protocol
	// local and remote are the addresses of both ends; over TCP one each.
	local, remote []netip.AddrPort
	// finish says that this end sends no more.
	finish func() error
}

// acceptor is a socket that listens.
type acceptor interface {
	accept() (incoming, error)
	addrs() []netip.AddrPort
	Close() error
}

// incoming is a connection that nobody has looked at: what is wrong with it
// keeps nobody from the next.
type incoming struct {
	remote netip.AddrPort
	// open takes it over; to be called once.
	open func() (*socket, error)
}

// open listens with the protocol of cfg.
func open(ctx context.Context, cfg *ListenConfig) (acceptor, error) {
	switch cfg.Protocol {
	case 0, wire.ProtocolTCP:
		return listenTCP(ctx, cfg)
	case wire.ProtocolSCTP:
		return listenSCTP(cfg)
	}
	return nil, fmt.Errorf("listen at %v: %v carries no sessions", cfg.Addr, cfg.Protocol)
}

// connect dials with the protocol of cfg.
func connect(ctx context.Context, cfg *DialConfig) (*socket, error) {
	switch cfg.Protocol {
	case 0, wire.ProtocolTCP:
		return dialTCP(ctx, cfg)
	case wire.ProtocolSCTP:
		return dialSCTP(ctx, cfg)
	}
	return nil, fmt.Errorf("connect to %v: %v carries no sessions", cfg.Remote, cfg.Protocol)
}

func handshakeTimeout(d time.Duration) time.Duration {
	if d <= 0 {
		return defaultHandshakeTimeout
	}
	return d
}
