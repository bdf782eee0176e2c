// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/weir-lb/weir/agent/hunt"
	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/wire"
)

// newHunter looks for registrars as cfg says. They are dialed from the served
// addresses, since a registrar wants them among the session's (RFC 5352 2.2.1,
// 3.1 R1), and from the port where they can come back to.
func newHunter(cfg *Config, l *listener, hints *hunt.Announcements) (*hunt.Hunter[*transport.Session], error) {
	candidates, err := cfg.locals()
	if err != nil {
		return nil, err
	}
	local := func(remote netip.Addr) []netip.Addr { return localFor(candidates, remote, cfg.Protocol) }
	return hunt.New(hunt.Config[*transport.Session]{
		Registrars: cfg.Registrars,
		Protocol:   cfg.Protocol,
		Dial: hunt.Dialer(transport.DialConfig{
			Identity: cfg.Identity, Keys: cfg.Keys, Plain: cfg.Plain, PPID: asapPPID, LocalPort: l.port(),
		}, local),
		Hints: hints,
		Log:   cfg.Log,
	})
}

// locals are the addresses to register from: those that are configured, or those
// of this machine that the server serves.
func (c *Config) locals() ([]netip.Addr, error) {
	if len(c.Local) > 0 {
		return c.Local, nil
	}
	mine, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list this machine's addresses: %w", err)
	}
	return slices.DeleteFunc(slices.Clone(c.User.Addrs), func(served netip.Addr) bool {
		return !slices.ContainsFunc(mine, func(a net.Addr) bool {
			prefix, err := netip.ParsePrefix(a.String())
			return err == nil && prefix.Addr() == served
		})
	}), nil
}

// localFor are the addresses of these to dial remote from: over TCP the first one
// that can reach it, over SCTP all that belong to the same world. With none, the
// kernel chooses, and the registrar decides.
func localFor(candidates []netip.Addr, remote netip.Addr, protocol wire.Protocol) (local []netip.Addr) {
	for _, a := range candidates {
		switch {
		case a.IsLoopback() != remote.IsLoopback():
		case protocol == wire.ProtocolSCTP:
			local = append(local, a)
		case a.Is4() == remote.Is4():
			return []netip.Addr{a}
		}
	}
	return local
}
