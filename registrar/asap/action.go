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
	refused []Refused
	changed []Changed
	sends   []Send
	closes  []Close
}

// change notes a pool's new snapshot; the last one of a step counts, and all its departures.
func (s *step) change(p *handlespace.Pool, departed ...handlespace.Departure) {
	i := slices.IndexFunc(s.changed, func(c Changed) bool { return c.Pool.Handle() == p.Handle() })
	if i < 0 {
		s.changed = append(s.changed, Changed{p, departed})
		return
	}
	s.changed[i].Pool = p
	s.changed[i].Departed = append(s.changed[i].Departed, departed...)
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
	all = appendActions(all, s.changed)
	all = appendActions(all, s.sends)
	return appendActions(all, s.closes)
}

func appendActions[A Action](all []Action, some []A) []Action {
	for _, a := range some {
		all = append(all, a)
	}
	return all
}
