// SPDX-License-Identifier: Apache-2.0

package asap

import (
	"slices"
	"time"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// Action is what the caller has to do: a Refused, a Changed, an Updated, a Send, a Reach or a Close.
type Action interface{ action() }

// Changed says that a pool is now as its snapshot shows. A pool that is gone has a snapshot without elements.
type Changed struct {
	Pool     *handlespace.Pool
	Departed []handlespace.Departure
}

// Updated is what the other registrars have to be told of an element whose home we are: after each registration, also one
// that changes nothing but begins its life anew, and when it left (RFC 5353 3.3).
type Updated struct {
	Action  wire.UpdateAction
	Pool    wire.PoolHandle
	Element wire.PoolElement
}

// Send is a message for the peer of a session. A session that has ended meanwhile gets nothing.
type Send struct {
	Session uint64
	Message wire.Message
}

// Refused says why a registration or deregistration is rejected, for the log: the peer learns the cause only, by a Send.
// If By is the zero Identity, it is another registrar's news that were not taken, and nobody learns that.
type Refused struct {
	By  handlespace.Identity
	Key handlespace.Key
	Err *wire.Error
}

// Reach asks for an association with an element at its ASAP transport, for Reached; if it cannot be set up, for Unreached.
// A caller that cannot try at all does nothing. There is one at a time for an element.
type Reach struct {
	Key       handlespace.Key
	Transport wire.Transport
}

// Close ends a session after what was sent to it. The Core has already taken its end into account.
type Close struct{ Session uint64 }

func (Refused) action() {}
func (Changed) action() {}
func (Updated) action() {}
func (Send) action()    {}
func (Reach) action()   {}
func (Close) action()   {}

// step is one call into the Core: when it happens, and what it leads to. There is one, whose memory is used again.
type step struct {
	now     instant
	refused []Refused
	changed []changed
	updated []Updated
	sends   []Send
	reaches []Reach
	closes  []Close
}

// changed is a pool that a step has changed, and who left it.
type changed struct {
	pool     wire.PoolHandle
	departed []handlespace.Departure
}

func (c *Core) begin(now time.Time) *step {
	c.step.now = c.at(now)
	return &c.step
}

// change notes that a pool has changed.
func (s *step) change(h wire.PoolHandle, departed ...handlespace.Departure) {
	i := slices.IndexFunc(s.changed, func(c changed) bool { return c.pool == h })
	if i < 0 {
		s.changed = append(s.changed, changed{h, departed})
		return
	}
	s.changed[i].departed = append(s.changed[i].departed, departed...)
}

func (s *step) update(a wire.UpdateAction, h wire.PoolHandle, e *handlespace.Element) {
	s.updated = append(s.updated, Updated{a, h, e.Wire()})
}

func (s *step) send(to handlespace.Identity, m wire.Message) {
	s.sends = append(s.sends, Send{to.Session(), m})
}

func (s *step) refuse(by handlespace.Identity, k handlespace.Key, err *wire.Error) {
	s.refused = append(s.refused, Refused{by, k, err})
}

func (s *step) close(from handlespace.Identity) {
	s.closes = append(s.closes, Close{from.Session()})
}

// finish is what a step leads to. Who subscribed to a pool that it changed will be told.
func (c *Core) finish(s *step) []Action {
	n := len(s.refused) + len(s.changed) + len(s.updated) + len(s.sends) + len(s.reaches) + len(s.closes)
	all := appendActions(make([]Action, 0, n), s.refused)
	for _, one := range s.changed {
		c.stale(s.now, one.pool)
		p := c.space.Pool(one.pool)
		if p == nil {
			p = c.space.Gone(one.pool)
		}
		all = append(all, Changed{p, one.departed})
	}
	all = appendActions(all, s.updated)
	all = appendActions(all, s.sends)
	all = appendActions(all, s.reaches)
	all = appendActions(all, s.closes)
	s.reset()
	return all
}

// maxKept is how many actions of a kind the next step has room for at once.
const maxKept = 64

func (s *step) reset() {
	s.refused, s.changed, s.updated = emptied(s.refused), emptied(s.changed), emptied(s.updated)
	s.sends, s.reaches, s.closes = emptied(s.sends), emptied(s.reaches), emptied(s.closes)
}

func emptied[T any](some []T) []T {
	if cap(some) > maxKept {
		return nil
	}
	clear(some)
	return some[:0]
}

func appendActions[A Action](all []Action, some []A) []Action {
	for _, a := range some {
		all = append(all, a)
	}
	return all
}
