// SPDX-License-Identifier: Apache-2.0

package handlespace_test

import (
	"net/netip"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// session is what Identify needs, without a socket.
type session struct {
	id   uint64
	peer string
}

func (s session) ID() uint64            { return s.id }
func (s session) Peer() string          { return s.peer }
func (session) Protocol() wire.Protocol { return wire.ProtocolTCP }

func (s session) RemoteAddrs() []netip.AddrPort {
	return []netip.AddrPort{netip.MustParseAddrPort("10.0.0.11:40000")}
}

func identity(id uint64, name string) handlespace.Identity {
	return handlespace.Identify(session{id, name}, handlespace.Proven)
}

// tcp is an element that serves 10.0.0.11:port over TCP, round robin.
func tcp(id wire.PEID, port uint16) wire.PoolElement {
	return wire.PoolElement{
		ID:   id,
		Life: 300,
		User: wire.Transport{
			Protocol: wire.ProtocolTCP, Port: port, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.11")},
		},
		Policy: wire.RoundRobin(),
	}
}

// sctp is an element that serves over SCTP.
func sctp(id wire.PEID, use wire.TransportUse) wire.PoolElement {
	e := tcp(id, 80)
	e.User.Protocol, e.User.Use = wire.ProtocolSCTP, use
	return e
}
