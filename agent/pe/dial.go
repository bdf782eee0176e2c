// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"net"
	"net/netip"

	"github.com/weir-lb/weir/agent/hunt"
	"github.com/weir-lb/weir/registrar/transport"
)

// newHunter looks for registrars as cfg says. They are dialed from the served
// address, since a registrar wants it among the session's (RFC 5352 2.2.1, 3.1 R1).
func newHunter(cfg *Config) (*hunt.Hunter[*transport.Session], error) {
	at := served(cfg.User).Addr()
	dialing := transport.DialConfig{Identity: cfg.Identity, Keys: cfg.Keys}
	return hunt.New(hunt.Config[*transport.Session]{
		Registrars: cfg.Registrars,
		Dial:       hunt.Dialer(dialing, func(remote netip.Addr) []netip.Addr { return localFor(at, remote) }),
		Hints:      cfg.Hints,
	})
}

// localFor is the address to dial from: the served one, or none, if it is not an
// address of this machine or cannot reach remote. The registrar then decides.
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
