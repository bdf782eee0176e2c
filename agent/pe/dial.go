// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/transport/psk"
)

// dialed is the end of a dial: a session or an error.
type dialed struct {
	session *transport.Session
	err     error
}

// connect resolves a registrar's name, and tries its addresses in turn until
// T5-Serverhunt ends (RFC 5352 3.6 SH4, SH5).
func connect(ctx context.Context, cfg *Config, r Registrar) (*transport.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, t5Serverhunt)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", r.Host)
	if err != nil {
		return nil, fmt.Errorf("resolve %s: %w", r.Host, err)
	}
	session, err := inTurn(ctx, addrs, func(ctx context.Context, addr netip.Addr) (*transport.Session, error) {
		remote := netip.AddrPortFrom(addr.Unmap(), r.Port)
		return transport.Dial(ctx, transport.DialConfig{
			Remote:           remote,
			Local:            localFor(served(cfg.User).Addr(), remote.Addr()),
			Identity:         cfg.Identity,
			Keys:             cfg.Keys,
			HandshakeTimeout: t5Serverhunt,
		})
	})
	if err != nil {
		return nil, explain(err, cfg.Identity)
	}
	return session, nil
}

// dialer connects to one address.
type dialer func(context.Context, netip.Addr) (*transport.Session, error)

// inTurn dials addrs until one answers. Each has an equal part of the time that
// is left, so that a silent one does not keep us from the next.
func inTurn(ctx context.Context, addrs []netip.Addr, dial dialer) (session *transport.Session, err error) {
	for i, addr := range addrs {
		if session, err = dialWithin(ctx, len(addrs)-i, addr, dial); err == nil {
			return session, nil
		}
	}
	return nil, err
}

// dialWithin dials with 1/parts of the time until ctx's deadline.
func dialWithin(ctx context.Context, parts int, addr netip.Addr, dial dialer) (*transport.Session, error) {
	deadline, _ := ctx.Deadline()
	ctx, cancel := context.WithTimeout(ctx, time.Until(deadline)/time.Duration(parts))
	defer cancel()
	return dial(ctx, addr)
}

// explain puts the usual reason before OpenSSL's word for a refused handshake,
// which names an alert and nothing that an operator could look up.
func explain(err error, identity string) error {
	var tls *psk.Error
	if !errors.As(err, &tls) {
		return err
	}
	return fmt.Errorf("the registrar has no identity %q or another key for it, compare both key files: %w", identity, err)
}

// localFor is the address to dial from: the served one, since the registrar
// wants it among the session's addresses (RFC 5352 2.2.1, 3.1 R1), or none, if
// it is not an address of this machine or cannot reach remote. The registrar
// then decides.
func localFor(served, remote netip.Addr) []netip.Addr {
	if served.Is4() != remote.Is4() || served.IsLoopback() != remote.IsLoopback() {
		return nil
	}
	mine, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range mine {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr() == served {
			return []netip.Addr{served}
		}
	}
	return nil
}
