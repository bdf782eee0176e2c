// SPDX-License-Identifier: Apache-2.0

package handlespace

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/weir-lb/weir/registrar/wire"
)

// State says whether an element may get new work.
type State uint8

const (
	// Up: registered, and its session lives.
	Up State = iota
	// Away: registered, but its session ended without a deregistration. It gets no new work and is not resolved; the
	// same identity may bring it back by registering it again.
	Away
)

// String gives "up" or "away".
func (s State) String() string {
	switch s {
	case Up:
		return "up"
	case Away:
		return "away"
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// Element is a pool element as registered. Its slices are shared with the snapshots: do not write to them.
type Element struct {
	ID       wire.PEID
	Identity string // the name of who registered it
	Home     wire.ServerID
	Life     int32 // s, wire.LifeInfinite for ever
	User     wire.Transport
	Policy   wire.Policy
	ASAP     *wire.Transport // where it speaks ASAP over SCTP; nil if it came over TCP
	State    State
}

// Wire is the element as the protocol has it.
func (e Element) Wire() wire.PoolElement {
	return wire.PoolElement{
		ID: e.ID, Home: e.Home, Life: e.Life, User: e.User, Policy: e.Policy, ASAP: e.ASAP,
	}
}

func (e *Element) equal(o *Element) bool {
	return e.ID == o.ID && e.Identity == o.Identity && e.Home == o.Home && e.Life == o.Life && e.State == o.State &&
		equalTransports(&e.User, &o.User) && equalTransports(e.ASAP, o.ASAP) &&
		e.Policy.Type == o.Policy.Type && bytes.Equal(e.Policy.Data, o.Policy.Data)
}

func equalTransports(a, b *wire.Transport) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Protocol == b.Protocol && a.Port == b.Port && a.Use == b.Use && a.ServiceCode == b.ServiceCode &&
		slices.Equal(a.Addrs, b.Addrs) && bytes.Equal(a.Opaque, b.Opaque)
}

// DepartReason says why an element left its pool.
type DepartReason uint8

const (
	// Deregistered: by itself.
	Deregistered DepartReason = iota
	// Lost: a keep-alive was not answered, or the element was Away for longer than the grace.
	Lost
	// Expired: its registration life is over.
	Expired
	// Unreachable: too many peers reported that they cannot reach it.
	Unreachable
	// Revoked: its identity may no longer serve this pool from this address.
	Revoked

	// DepartReasons is how many there are.
	DepartReasons = int(Revoked) + 1
)

// String gives the reason in lower case, "deregistered".
func (r DepartReason) String() string {
	names := [DepartReasons]string{"deregistered", "lost", "expired", "unreachable", "revoked"}
	if int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// Departure is an element that left its pool.
type Departure struct {
	Element Element // as it was last
	Reason  DepartReason
}
