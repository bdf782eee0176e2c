// SPDX-License-Identifier: Apache-2.0

package asap

import (
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// Counters is what a Core holds, and what it has done so far. All but Pools and Elements only grow.
type Counters struct {
	Pools, Elements    int
	Registrations      uint64 // of new elements
	Reregistrations    uint64 // of elements that were there, up or away
	Deregistrations    uint64 // granted, of known elements or not
	Resolutions        uint64 // answered with elements
	KeepAlives         uint64 // sent
	KeepAliveAcks      uint64 // that answered one
	UnreachableReports uint64 // of known elements
	PeerErrors         uint64 // ASAP_ERROR received
	// Rejected counts requests by the cause in the answer.
	Rejected [int(wire.CauseSecurity) + 1]uint64
	// Departed counts elements that left, by reason.
	Departed [handlespace.DepartReasons]uint64
	// Ignored counts messages that do not belong here or came too late, by type.
	Ignored [int(wire.TypeError) + 1]uint64
}

func (c *Core) reject(err *wire.Error) []wire.ErrorCause {
	c.counters.Rejected[err.Cause]++
	return err.ErrorCauses()
}

func (c *Core) ignore(m wire.Message) { c.counters.Ignored[m.Type()]++ }

// Counters are the counts as of now.
func (c *Core) Counters() Counters {
	n := c.counters
	n.Pools, n.Elements = c.space.NumPools(), c.space.Len()
	return n
}
