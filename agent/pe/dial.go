// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

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
	for _, addr := range addrs {
		var session *transport.Session
		remote := netip.AddrPortFrom(addr.Unmap(), r.Port)
		session, err = transport.Dial(ctx, transport.DialConfig{
			Remote:           remote,
			Local:            localFor(served(cfg.User).Addr(), remote.Addr()),
			Identity:         cfg.Identity,
			Keys:             cfg.Keys,
			HandshakeTimeout: t5Serverhunt,
		})
		if err == nil {
			return session, nil
		}
	}
	return nil, explain(err, cfg.Identity)
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
func localFor(served, remote netip.Addr) netip.Addr {
	if served.Is4() != remote.Is4() || served.IsLoopback() != remote.IsLoopback() {
		return netip.Addr{}
	}
	mine, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{}
	}
	for _, a := range mine {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr() == served {
			return served
		}
	}
	return netip.Addr{}
}
