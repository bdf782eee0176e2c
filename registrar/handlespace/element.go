// SPDX-License-Identifier: Apache-2.0

package handlespace

import (
	"fmt"
	"net/netip"
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

// Element is a pool element as it was at some time. The Space makes them and never changes one, but puts another in its
// place; nobody else may write to one either.
type Element struct {
	ID     wire.PEID
	Home   wire.ServerID
	Life   int32    // s, wire.LifeInfinite for ever
	slot   uint32   // see Slot
	by     Identity // see Identity
	User   wire.Transport
	Policy wire.Policy
	ASAP   *wire.Transport // where it speaks ASAP over SCTP; nil if it came over TCP
	State  State
}

// Identity is the name of who registered it here; "" if another registrar told of it.
func (e *Element) Identity() string { return e.by.Name() }

// Slot is a number that no other element of its pool has while this one is there, and that it keeps until it leaves. It is
// below the greatest number of elements that the pool ever had: an index for tables beside the handlespace.
func (e *Element) Slot() int { return int(e.slot) }

// Wire is the element as the protocol has it.
func (e *Element) Wire() wire.PoolElement {
	return wire.PoolElement{
		ID: e.ID, Home: e.Home, Life: e.Life, User: e.User, Policy: e.Policy, ASAP: e.ASAP,
	}
}

// roomy is an element with room for what most have one of, so that it is one piece of memory.
type roomy struct {
	Element
	addr [1]netip.Addr
	data [8]byte
}

// newElement is an Up element that shares no memory with we but the ASAP transport, which is never written to.
func newElement(we *wire.PoolElement, home wire.ServerID, by Identity, slot uint32) *Element {
	r := &roomy{Element: Element{
		ID: we.ID, Home: home, Life: we.Life, slot: slot, by: by, User: we.User, Policy: we.Policy, ASAP: we.ASAP,
	}}
	r.User.Addrs = append(r.addr[:0], we.User.Addrs...)
	r.User.Opaque = slices.Clone(we.User.Opaque)
	r.Policy.Data = append(r.data[:0], we.Policy.Data...)
	return &r.Element
}

// copy is an element like e, to be changed before anybody else sees it.
func (e *Element) copy() *Element {
	we := e.Wire()
	next := newElement(&we, e.Home, e.by, e.slot)
	next.State = e.State
	return next
}
