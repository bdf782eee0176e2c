// SPDX-License-Identifier: Apache-2.0

package asap

import (
	"slices"
	"time"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// Action is what the caller has to do: a Refused, a Changed, a Send or a Close.
type Action interface{ action() }

// Changed says that a pool is now as its snapshot shows. A pool that is gone has a snapshot without elements.
type Changed struct {
	Pool     *handlespace.Pool
	Departed []handlespace.Departure
}

// Send is a message for the peer of a session. A session that has ended meanwhile gets nothing.
type Send struct {
	Session uint64
	Message wire.Message
}

// Refused says why a registration or deregistration is rejected, for the log: the peer learns the cause only, by a Send.
type Refused struct {
	By  handlespace.Identity
	Key handlespace.Key
	Err *wire.Error
}

// Close ends a session after what was sent to it. The Core has already taken its end into account.
type Close struct{ Session uint64 }

func (Refused) action() {}
func (Changed) action() {}
func (Send) action()    {}
func (Close) action()   {}

// step is one call into the Core: when it happens, and what it leads to.
type step struct {
	now     time.Time
	space   *handlespace.Space
	refused []Refused
	changed []changed
	sends   []Send
	closes  []Close
}

// changed is a pool that a step has changed, and who left it.
type changed struct {
	pool     wire.PoolHandle
	departed []handlespace.Departure
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

func (s *step) send(to handlespace.Identity, m wire.Message) {
	s.sends = append(s.sends, Send{to.Session(), m})
}

func (s *step) refuse(by handlespace.Identity, k handlespace.Key, err *wire.Error) {
	s.refused = append(s.refused, Refused{by, k, err})
}

func (s *step) close(from handlespace.Identity) {
	s.closes = append(s.closes, Close{from.Session()})
}

func (s *step) actions() []Action {
	all := make([]Action, 0, len(s.refused)+len(s.changed)+len(s.sends)+len(s.closes))
	all = appendActions(all, s.refused)
	for _, c := range s.changed {
		p := s.space.Pool(c.pool)
		if p == nil {
			p = s.space.Gone(c.pool)
		}
		all = append(all, Changed{p, c.departed})
	}
	all = appendActions(all, s.sends)
	return appendActions(all, s.closes)
}

func appendActions[A Action](all []Action, some []A) []Action {
	for _, a := range some {
		all = append(all, a)
	}
	return all
}
