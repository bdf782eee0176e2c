// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// options are how the kernel serves the service.
func (c ServiceConfig) options() maps.Options {
	return maps.Options{Mode: c.Mode, TunnelPort: c.GUEPort, Slots: c.Slots, Fragments: c.Fragments, ByClient: c.Affinity == AffinityClient, OnLoss: c.OnLoss}
}

// drainTime is how long flows of a lost element stay.
func (c ServiceConfig) drainTime() time.Duration {
	if c.OnLoss != maps.DrainFlows {
		return 0
	}
	return cmp.Or(c.DrainTime, DefaultDrainTime)
}

// protocolNumber is that of IP for a transport of RSerPool's; 0: it has no ports.
func protocolNumber(p wire.Protocol) uint8 {
	return map[wire.Protocol]uint8{
		wire.ProtocolTCP: maps.TCP, wire.ProtocolUDP: maps.UDP, wire.ProtocolSCTP: maps.SCTP,
		wire.ProtocolUDPLite: maps.UDPLite, wire.ProtocolDCCP: maps.DCCP,
	}[p]
}

// place is where a pool's element takes this service's packets; reason says why it cannot, in words
// for people. In tunnels any address will do, the service's family is preferred.
func (s *service) place(m *handlespace.Element) (at netip.AddrPort, reason string) {
	mode, family := s.options.Mode, "IPv6"
	if s.VIP.Addr().Is4() {
		family = "IPv4"
	}
	if protocolNumber(m.User.Protocol) != s.Protocol {
		return at, fmt.Sprintf("it serves %s", m.User.Protocol)
	}
	if mode.KeepsPort() && m.User.Port != s.VIP.Port() {
		return at, fmt.Sprintf("it serves port %d, but by %s packets come with the service's port %d", m.User.Port, mode, s.VIP.Port())
	}
	best := slices.IndexFunc(m.User.Addrs, func(a netip.Addr) bool { return a.Is4() == s.VIP.Addr().Is4() })
	if best < 0 && mode.Tunnels() && len(m.User.Addrs) > 0 {
		best = 0
	}
	if best < 0 {
		return at, fmt.Sprintf("it has no %s address, which %s needs", family, mode)
	}
	return netip.AddrPortFrom(m.User.Addrs[best], m.User.Port), ""
}
