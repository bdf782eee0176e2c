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
	epoch     time.Time // see instant
	watches   map[handlespace.Key]*watch
	due       queue[*watch]
	selectors map[wire.PoolHandle]*policy.Selector // of each pool
	subs      subscriptions
	yields    yields
	step      step
	scratch   []byte // to try whether a response can be encoded
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
		subs:      newSubscriptions(),
		yields:    newYields(),
	}
}

// Space is the handlespace, to be read between two calls and by the same goroutine only.
func (c *Core) Space() *handlespace.Space { return c.space }

// Handle takes a message in from whoever is at the other end of a session; from the zero Identity nothing happens.
func (c *Core) Handle(now time.Time, from handlespace.Identity, m wire.Message) []Action {
	s := c.begin(now)
	if from.IsZero() {
		c.ignore(m)
		return nil
	}
	switch m := m.(type) {
	case *wire.Registration:
		c.register(s, from, m)
	case *wire.Deregistration:
		c.deregister(s, from, m)
	case *wire.HandleResolution:
		c.resolve(s, from, m)
	case *wire.EndpointKeepAliveAck:
		c.acknowledge(s, from, m)
	case *wire.EndpointUnreachable:
		c.unreachable(s, from, m)
	case *wire.ErrorMessage:
		c.counters.PeerErrors++ // never answered: two ends that do not understand each other would go on for ever
	default: // what only registrars send
		c.ignore(m)
	}
	return c.finish(s)
}

// Closed takes in that a session ended: its elements are away, until the same identity registers them again from another
// session or the grace runs out. Its subscriptions are over.
func (c *Core) Closed(now time.Time, from handlespace.Identity) []Action {
	s := c.begin(now)
	c.gone(s, from)
	return c.finish(s)
}

func (c *Core) gone(s *step, from handlespace.Identity) {
	c.yields.end(from.Session())
	c.subs.end(from.Session())
	for _, k := range c.space.Owned(from.Name()) {
		w := c.watches[k]
		if c.space.Owner(k) != from || w.bond == detached {
			continue
		}
		if c.space.SetState(k, handlespace.Away) {
			c.altered(s, k)
		}
		w.detach(s.now.after(c.cfg.Grace))
		c.due.moved(w)
	}
}

// altered takes in what the handlespace did to an element beside a registration.
func (c *Core) altered(s *step, k handlespace.Key) {
	c.selectors[k.Pool].Put(c.space.Find(k))
	s.change(k.Pool)
}

// Deadline is when Tick has something to do next; the zero time if nothing is due ever.
func (c *Core) Deadline() time.Time {
	_, watch, _ := c.due.first()
	_, update, _ := c.subs.due.first()
	return c.time(earliest(watch, update))
}

// watched is an element's watch, which begins with it.
func (c *Core) watched(k handlespace.Key) *watch {
	w := c.watches[k]
	if w == nil {
		w = &watch{key: k}
		c.watches[k] = w
		c.due.add(w)
	}
	return w
}

// hangUp gives up to ask an element, and closes the session if it was set up for that.
func (c *Core) hangUp(s *step, w *watch) {
	if w.answer != 0 && (w.bond == adopted || w.bond == foreign) {
		s.close(w.asked)
	}
	w.answer, w.asked = 0, handlespace.Identity{}
}

// remove takes an element out, unless that shows that it is ours. It must exist.
func (c *Core) remove(s *step, k handlespace.Key, reason handlespace.DepartReason) {
	if c.restore(s, k) {
		return
	}
	c.departed(s, k, c.space.Remove(k), reason)
}

// departed forgets what an element leaves behind when it is out of the handlespace. What others have to know of it, its home
// tells them.
func (c *Core) departed(s *step, k handlespace.Key, e *handlespace.Element, reason handlespace.DepartReason) {
	w := c.watches[k]
	c.hangUp(s, w)
	c.due.remove(w)
	delete(c.watches, k)
	c.yields.take(k)
	c.selectors[k.Pool].Remove(e)
	if c.selectors[k.Pool].Len() == 0 {
		delete(c.selectors, k.Pool)
	}
	c.counters.Departed[reason]++
	s.change(k.Pool, handlespace.Departure{Element: e, Reason: reason})
	if e.Home == c.cfg.Server {
		s.update(wire.ActionDeletePE, k.Pool, e)
	}
}

// dismiss takes an element out and tells it so, if its session lives (RFC 5352 3.2).
func (c *Core) dismiss(s *step, w *watch, reason handlespace.DepartReason, causes ...wire.ErrorCause) {
	if w.bond == attached {
		s.send(c.space.Owner(w.key), &wire.DeregistrationResponse{Pool: w.key.Pool, PE: w.key.PE, Causes: causes})
	}
	c.remove(s, w.key, reason)
}
