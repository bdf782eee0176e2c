// SPDX-License-Identifier: Apache-2.0

package asap

import (
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// Counters is what a Core holds, and what it has done so far. All but the first five only grow.
type Counters struct {
	Pools, Elements    int
	Foreign            int    // elements whose home is another registrar
	Subscriptions      int    // to pools, of all sessions
	Yielded            int    // elements that registered here, are another registrar's, and whose session here lives
	Registrations      uint64 // of new elements
	Reregistrations    uint64 // of elements that were there, up or away
	Deregistrations    uint64 // granted, of known elements or not
	Resolutions        uint64 // answered with elements
	Unsubscribed       uint64 // resolutions whose S flag could not be granted for want of room
	Updates            uint64 // sent to subscribers
	KeepAlives         uint64 // sent
	KeepAliveAcks      uint64 // that answered one
	UnreachableReports uint64 // of known elements
	PeerErrors         uint64 // ASAP_ERROR received
	Learned            uint64 // elements that other registrars told of, new ones
	Relearned          uint64 // and ones that were there, ours or not
	Unlearned          uint64 // and ones that were not taken
	TakenOver          uint64 // elements of registrars that we took over
	Restored           uint64 // elements that were yielded, and came back
	Reaches            uint64 // elements that we tried to reach at their ASAP transport
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
	n.Pools, n.Elements, n.Subscriptions = c.space.NumPools(), c.space.Len(), c.subs.total
	n.Yielded = len(c.yields.of)
	n.Foreign = n.Elements - c.space.NumChildren(c.cfg.Server)
	return n
}
