// SPDX-License-Identifier: Apache-2.0

package enrp

import (
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

// PeerStatus is how a peer is doing, for an operator.
type PeerStatus struct {
	Server    wire.ServerID
	State     PeerState
	Transport *wire.Transport // where it speaks ENRP; nil as long as it has not told
	Sessions  int
	LastHeard time.Time // zero if it never was
	Elements  int       // whose home it is
	Checksum  uint16    // of those, as our audit compares it with what the peer says (RFC 5353 3.6.1)
}

// Peers are all peers, by identifier.
func (c *Core) Peers() []PeerStatus {
	all := make([]PeerStatus, len(c.peers))
	for i, p := range c.peers {
		all[i] = PeerStatus{
			Server: p.id, State: p.state, Sessions: len(p.sessions), Elements: c.space.NumChildren(p.id), Checksum: c.space.Checksum(p.id),
		}
		if p.heard {
			all[i].LastHeard = p.last
		}
		if p.info != nil {
			t := p.info.Transport
			all[i].Transport = &t
		}
	}
	return all
}
