// SPDX-License-Identifier: Apache-2.0

package enrp

import (
	"fmt"
	"time"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// Action is what the caller has to do, in order: one of the types below.
type Action interface{ action() }

// Send is a message for the peer of a session. A session that has ended meanwhile gets nothing. The message may be shared
// with other Sends: it must not be changed.
type Send struct {
	Session uint64
	Message wire.ENRPMessage
}

// Multicast is a message for the ENRP multicast group.
type Multicast struct{ Message wire.ENRPMessage }

// Dial asks for a session with the registrar at Transport. Its result is told by Connected or DialFailed, once, with the
// same ID. Server is who is expected there, 0 if that is not known.
type Dial struct {
	ID        uint64
	Server    wire.ServerID
	Transport wire.Transport
	Again     bool // the last attempt there was in vain
}

// Hangup ends a session after what was sent to it. The Core has already taken its end into account.
type Hangup struct{ Session uint64 }

// Learn says that a peer told of an element, whose home is Home.
type Learn struct {
	Home    wire.ServerID
	Pool    wire.PoolHandle
	Element wire.PoolElement // its Home is Home
}

// Forget says that an element is gone.
type Forget struct {
	Home wire.ServerID // of the element, or whoever speaks for it
	Key  handlespace.Key
}

// TakeOver says that we are the home of all elements now whose home was Target.
type TakeOver struct{ Target wire.ServerID }

// Synchronised says that the registrar can begin to serve: it has a mentor's handlespace, or there is no mentor. It comes
// once.
type Synchronised struct {
	Mentor wire.ServerID // 0 if there is none
}

// PeerChanged says how a peer is doing now, for the log and for metrics.
type PeerChanged struct {
	Server wire.ServerID
	State  PeerState
}

// Refused says why a message is not believed, for the log.
type Refused struct {
	Session uint64
	Sender  wire.ServerID // as the message has it
	Err     *wire.Error
}

func (Send) action()         {}
func (Multicast) action()    {}
func (Dial) action()         {}
func (Hangup) action()       {}
func (Learn) action()        {}
func (Forget) action()       {}
func (TakeOver) action()     {}
func (Synchronised) action() {}
func (PeerChanged) action()  {}
func (Refused) action()      {}

// PeerState is how a peer is doing.
type PeerState uint8

const (
	// Candidate: others told of it, or it is the home of elements, but it has not been heard yet.
	Candidate PeerState = iota
	// Active: it is heard.
	Active
	// Suspect: it was silent for MAX-TIME-LAST-HEARD, or its last session ended, and it has been asked whether it is there.
	Suspect
	// Inactive: another registrar is taking it over, and it is no longer monitored (RFC 5353 3.5.1).
	Inactive
	// Dead: it did not answer in time, and we are taking it over.
	Dead
	// Gone: it is no longer in the list of peers.
	Gone

	// PeerStates is how many there are.
	PeerStates = int(Gone) + 1
)

// String gives the state in lower case, "active".
func (p PeerState) String() string {
	names := [PeerStates]string{"candidate", "active", "suspect", "inactive", "dead", "gone"}
	if int(p) < len(names) {
		return names[p]
	}
	return fmt.Sprintf("state %d", uint8(p))
}

// step is one call into the Core: when it happens, and what it leads to.
type step struct {
	now     time.Time
	actions []Action
}

func (c *Core) begin(now time.Time) step {
	c.now = now
	return step{now: now}
}

func (s *step) do(a Action) { s.actions = append(s.actions, a) }

// past says whether t has come. The zero time never comes.
func past(t, now time.Time) bool { return !t.IsZero() && !t.After(now) }

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// earliest is the first of the times that come at all.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
