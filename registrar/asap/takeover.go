// SPDX-License-Identifier: Apache-2.0

package asap

import (
	"slices"
	"time"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// TakeOver makes all elements of another registrar ours (RFC 5353 3.5.2). Nobody owns one until it shows itself: by
// answering a keep-alive with the H flag at its ASAP transport, where it has one, or by registering with us. Who does
// neither within the grace is lost. Peers are not told of each: they learn of the takeover as such. What we had yielded has
// shown itself.
func (c *Core) TakeOver(now time.Time, target wire.ServerID) []Action {
	s := c.begin(now)
	if c.foreign(target) != nil {
		return nil
	}
	var all []handlespace.Key
	for k := range c.space.Children(target, handlespace.Key{}) {
		all = append(all, k)
	}
	for _, k := range all {
		if c.restore(s, k) {
			continue
		}
		c.space.Rehome(k, c.cfg.Server)
		c.altered(s, k)
		c.adopt(s, k)
	}
	return c.finish(s)
}

// adopt begins the time that an element has to show itself, and its life, if that is not shorter: when it registered last
// only its dead home knew. Those that can be reached are reached at a time drawn for each, so that not thousands of
// associations are set up at once.
func (c *Core) adopt(s *step, k handlespace.Key) {
	w := c.watches[k]
	c.hangUp(s, w)
	c.counters.TakenOver++
	w.bond, w.grace = adopted, s.now.after(c.cfg.Adoption.Grace)
	if w.expires != 0 {
		w.expires = max(w.grace, end(s.now, c.space.Find(k).Life))
	}
	if c.reachable(k) {
		w.reach = s.now.after(time.Duration(c.cfg.Rand.Float64() * float64(c.cfg.Adoption.Spread)))
	}
	c.due.moved(w)
}

// reach asks for an association with an element that has no session with us, unless it is on its way.
func (c *Core) reach(s *step, w *watch) {
	w.reach = 0
	if !w.reaching && c.reachable(w.key) {
		w.reaching, w.probed = true, s.now
		c.counters.Reaches++
		s.reaches = append(s.reaches, Reach{w.key, *c.space.Find(w.key).ASAP})
	}
	c.due.moved(w)
}

// reachable says whether an element can be reached at its ASAP transport. A secured registrar reaches nobody: the parameter
// cannot say how to do that with TLS (RFC 5354 3.10), and to whoever answers without, nothing is believed. Its elements come
// by themselves.
func (c *Core) reachable(k handlespace.Key) bool {
	return c.cfg.Unsecured && c.space.Find(k).ASAP != nil
}

// Reached takes in that the association that a Reach asked for stands, with whoever is at its other end: it is asked whether
// it is the element. The H flag makes us its home, but not if it has another (RFC 5352 2.2.7, 3.5). An association that is
// of no use is closed: the element has shown itself meanwhile, or somebody answers who may not be it.
func (c *Core) Reached(now time.Time, k handlespace.Key, who handlespace.Identity) []Action {
	s := c.begin(now)
	w := c.watches[k]
	if w != nil {
		w.reaching = false
	}
	if w == nil || w.bond == attached || w.bond == detached || w.answer != 0 || c.mayServe(who, k) != nil {
		s.close(who)
	} else {
		c.sendKeepAlive(s, w, who)
	}
	return c.finish(s)
}

// Unreached takes in that the association that a Reach asked for could not be set up. An element that was reported is then
// "truly unreachable", and we MUST remove it (RFC 5352 3.5). One that nobody reported, of a registrar that we took over, may
// come by itself, and has its grace for that.
func (c *Core) Unreached(now time.Time, k handlespace.Key) []Action {
	s := c.begin(now)
	w := c.watches[k]
	if w != nil {
		w.reaching = false
	}
	if w != nil && w.answer == 0 && (w.bond == foreign || w.bond == adopted && len(w.reports) > 0) {
		c.remove(s, k, handlespace.Unreachable)
	}
	return c.finish(s)
}

// answered deals with an element that answered at its ASAP transport.
func (c *Core) answered(s *step, w *watch, who handlespace.Identity) {
	if w.bond == foreign || c.room(who, w.key) != nil {
		s.close(who) // it is where it says: that is all there was to know
		return
	}
	e := c.space.Find(w.key)
	if _, _, err := c.space.Register(c.cfg.Server, who, w.key.Pool, e.Wire()); err != nil {
		s.close(who) // which cannot be, of what is in its pool already
		return
	}
	c.altered(s, w.key)
	w.bond, w.grace, w.probe = attached, 0, c.nextProbe(s.now)
}

// mayServe checks that an identity may be an element that nobody owns, by what we know of that: the grants say so, or in an
// unsecured registrar that it is where the element is.
func (c *Core) mayServe(who handlespace.Identity, k handlespace.Key) *wire.Error {
	e := c.space.Find(k)
	err := c.allow(who, k.Pool, e.Wire())
	if err != nil || !c.cfg.Unsecured || len(e.User.Addrs) == 0 {
		return err
	}
	if !slices.ContainsFunc(e.User.Addrs, who.HasAddr) {
		return refuse(wire.CauseSecurity, "the element is somewhere else")
	}
	return nil
}
