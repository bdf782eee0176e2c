// SPDX-License-Identifier: Apache-2.0

package enrp

import "github.com/weir-lb/weir/registrar/wire"

// Counters is what a Core holds, and what it has done so far.
type Counters struct {
	Peers     [PeerStates]int // by state, as of now
	Sessions  int             // as of now
	Downloads int             // handle tables that are being handed out now

	UpdatesSent     uint64 // of elements, to however many peers
	UpdatesReceived uint64 // that were taken in
	UpdatesDefended uint64 // that crossed one of ours, which stays

	Audits             uint64 // checksums compared
	Mismatches         uint64 // that differed
	Resyncs            uint64 // handle tables of peers received to their end
	ResyncsFailed      uint64 // rejected, or broken off
	TablesServed       uint64 // handle tables handed out to their end
	TablesRejected     uint64
	Unsendable         uint64 // elements too large for a message
	TakeoversInitiated uint64
	TakeoversCompleted uint64
	TakeoversStopped   uint64 // because the target was heard, or in favour of another registrar
	TakenFromUs        uint64 // TAKEOVER_SERVER with ourselves as the target
	PeerErrors         uint64 // ENRP_ERROR received
	// Refused counts messages that were not believed, by cause.
	Refused [int(wire.CauseSecurity) + 1]uint64
	// Ignored counts messages that do not belong here or came too late, by type.
	Ignored [int(wire.TypeENRPError) + 1]uint64
}

func (c *Core) ignore(m wire.ENRPMessage) { c.counters.Ignored[m.Type()]++ }

// Counters are the counts as of now.
func (c *Core) Counters() Counters {
	n := c.counters
	for _, p := range c.peers {
		n.Peers[p.state]++
	}
	n.Sessions, n.Downloads = len(c.sessions), len(c.cursors)
	return n
}
