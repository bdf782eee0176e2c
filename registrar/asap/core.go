// SPDX-License-Identifier: Apache-2.0

package asap

import (
	"time"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/policy"
	"github.com/weir-lb/weir/registrar/wire"
)

// Core is a registrar's ASAP. It is not safe for concurrent use. The times that it is given must never go back.
type Core struct {
	cfg       Config
	grants    grants
	space     *handlespace.Space
	watches   map[handlespace.Key]*watch
	due       dueHeap
	selectors map[wire.PoolHandle]*policy.Selector // of each pool
	scratch   []byte                               // to try whether a response can be encoded
	counters  Counters
}

// New makes a Core without elements.
func New(cfg Config) *Core {
	return &Core{
		cfg:       cfg.withDefaults(),
		grants:    grantsOf(cfg.Grants),
		space:     handlespace.New(),
		watches:   map[handlespace.Key]*watch{},
		selectors: map[wire.PoolHandle]*policy.Selector{},
	}
}

func (c *Core) step(now time.Time) step { return step{now: now, space: c.space} }

// Handle takes a message in from a peer that has proven its identity; from anyone else nothing happens.
func (c *Core) Handle(now time.Time, from handlespace.Identity, m wire.Message) []Action {
	s := c.step(now)
	if from.IsZero() {
		c.ignore(m)
		return nil
	}
	switch m := m.(type) {
	case *wire.Registration:
		c.register(&s, from, m)
	case *wire.Deregistration:
		c.deregister(&s, from, m)
	case *wire.HandleResolution:
		c.resolve(&s, from, m)
	case *wire.EndpointKeepAliveAck:
		c.acknowledge(&s, from, m)
	case *wire.EndpointUnreachable:
		c.unreachable(&s, from, m)
	case *wire.ErrorMessage:
		c.counters.PeerErrors++ // never answered: two ends that do not understand each other would go on for ever
	default: // what only registrars send
		c.ignore(m)
	}
	return s.actions()
}

// Closed takes in that a session ended: its elements are away, until the same identity registers them again from another
// session or the grace runs out.
func (c *Core) Closed(now time.Time, from handlespace.Identity) []Action {
	s := c.step(now)
	c.away(&s, from)
	return s.actions()
}

func (c *Core) away(s *step, from handlespace.Identity) {
	for _, k := range c.space.Owned(from.Name()) {
		w := c.watches[k]
		if c.space.Owner(k) != from || w.away() {
			continue
		}
		if c.space.SetState(k, handlespace.Away) {
			c.selectors[k.Pool].Put(c.space.Find(k))
			s.change(k.Pool)
		}
		w.leave(s.now.Add(c.cfg.Grace))
		c.due.fix(w)
	}
}

// Deadline is when Tick has something to do next; the zero time if nothing is due ever.
func (c *Core) Deadline() time.Time {
	if len(c.due) == 0 {
		return time.Time{}
	}
	return c.due[0].due()
}

// remove takes an element out. It must exist.
func (c *Core) remove(s *step, k handlespace.Key, reason handlespace.DepartReason) {
	c.departed(s, k, c.space.Remove(k), reason)
}

// departed forgets what an element leaves behind when it is out of the handlespace.
func (c *Core) departed(s *step, k handlespace.Key, e *handlespace.Element, reason handlespace.DepartReason) {
	c.due.remove(c.watches[k])
	delete(c.watches, k)
	c.selectors[k.Pool].Remove(e)
	if c.selectors[k.Pool].Len() == 0 {
		delete(c.selectors, k.Pool)
	}
	c.counters.Departed[reason]++
	s.change(k.Pool, handlespace.Departure{Element: e, Reason: reason})
}

// dismiss takes an element out and tells it so, unless it is away (RFC 5352 3.2).
func (c *Core) dismiss(s *step, k handlespace.Key, reason handlespace.DepartReason, causes ...wire.ErrorCause) {
	if !c.watches[k].away() {
		s.send(c.space.Owner(k), &wire.DeregistrationResponse{Pool: k.Pool, PE: k.PE, Causes: causes})
	}
	c.remove(s, k, reason)
}
