// SPDX-License-Identifier: Apache-2.0

package enrp

import (
	"time"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

const (
	// maxRounds is how often a takeover is announced to a peer that is there but does not acknowledge it.
	maxRounds = 3
	// guardRounds is how many expiries another registrar has for its takeover until we look after the target again.
	guardRounds = maxRounds + 1
)

// takeover is our takeover of a dead peer (RFC 5353 3.5).
type takeover struct {
	waiting map[wire.ServerID]struct{} // peers that have not acknowledged it
	expires time.Time                  // when it is announced again
	rounds  int                        // how often it was announced
}

// wins says whether we go on if p takes over the same target (RFC 5353 3.5.1 rule 2).
func (c *Core) wins(p wire.ServerID) bool {
	if c.cfg.LowerWins {
		return c.cfg.Self.ID < p
	}
	return c.cfg.Self.ID > p
}

// initiate begins the takeover of p.
func (c *Core) initiate(s *step, p *peer) {
	c.counters.TakeoversInitiated++
	c.become(s, p, Dead)
	p.takeover = &takeover{waiting: map[wire.ServerID]struct{}{}}
	for _, q := range c.peers {
		if q != p && q.heard && (q.state == Active || q.state == Suspect) {
			p.takeover.waiting[q.id] = struct{}{}
		}
	}
	c.proclaim(s, p)
	c.complete(s, p)
}

// proclaim announces the takeover of p to those that have not acknowledged it, and to the target, whose answer would stop
// it.
func (c *Core) proclaim(s *step, p *peer) {
	t := p.takeover
	t.rounds++
	t.expires = s.now.Add(c.cfg.Timers.TakeoverExpiry)
	m := &wire.InitTakeover{Servers: c.between(0), Target: p.id}
	for _, q := range c.peers {
		if _, ok := t.waiting[q.id]; ok || q == p {
			c.send(s, q, m)
		}
	}
}

// insist goes on with a takeover that was not acknowledged in time. Who has not answered to several announcements and is
// alive does not know what to answer: the target's elements cannot wait for it.
func (c *Core) insist(s *step, p *peer) {
	if p.takeover.rounds < maxRounds {
		c.proclaim(s, p)
		return
	}
	clear(p.takeover.waiting)
	c.complete(s, p)
}

// complete enforces the takeover of p if everybody has acknowledged it (RFC 5353 3.5.2): with exactly two registrars, at once.
func (c *Core) complete(s *step, p *peer) {
	if len(p.takeover.waiting) > 0 {
		return
	}
	c.counters.TakeoversCompleted++
	p.takeover = nil
	c.capture(s, p.id)
	c.drop(s, p)
	c.announce(s, &wire.TakeoverServer{Servers: c.between(0), Target: p.id})
	s.do(TakeOver{Target: p.id})
}

// capture remembers a takeover; the oldest is forgotten if there are too many.
func (c *Core) capture(s *step, id wire.ServerID) {
	if len(c.captured) >= c.cfg.MaxPeers {
		oldest := id
		for other, at := range c.captured {
			if first, ok := c.captured[oldest]; !ok || at.Before(first) || at.Equal(first) && other < oldest {
				oldest = other
			}
		}
		delete(c.captured, oldest)
	}
	c.captured[id] = s.now
}

func (c *Core) stopTakeover(p *peer) {
	c.counters.TakeoversStopped++
	p.takeover = nil
}

// excuse waits for a peer's acknowledgements no longer: it has died.
func (c *Core) excuse(s *step, dead *peer) {
	for _, p := range append([]*peer(nil), c.peers...) {
		c.acknowledged(s, p, dead.id)
	}
}

func (c *Core) acknowledged(s *step, target *peer, by wire.ServerID) {
	if target.takeover == nil {
		return
	}
	if _, ok := target.takeover.waiting[by]; ok {
		delete(target.takeover.waiting, by)
		c.complete(s, target)
	}
}

// takeoverInitiated is RFC 5353 3.5.1, what a peer does about somebody's INIT_TAKEOVER.
func (c *Core) takeoverInitiated(s *step, from *peer, m *wire.InitTakeover) {
	target := c.peer(m.Target)
	switch {
	case m.Target == c.cfg.Self.ID: // rule 1: we are here
		c.announce(s, c.newPresence(0, false))
		return
	case m.Target == from.id:
		c.ignore(m)
		return
	case target == nil && c.wasCaptured(m.Target): // it was not there when we told
		c.send(s, from, &wire.TakeoverServer{Servers: c.between(from.id), Target: m.Target})
		return
	case target != nil && target.takeover != nil:
		if c.wins(from.id) { // rule 2 B
			c.ignore(m)
			return
		}
		c.stopTakeover(target) // rule 2 A
	}
	c.claimed(s, from, m.Target)
	if target != nil { // rules 2 A and 3
		c.deactivate(s, target)
	}
	c.send(s, from, &wire.InitTakeoverAck{Servers: c.between(from.id), Target: m.Target})
}

func (c *Core) wasCaptured(id wire.ServerID) bool {
	_, ok := c.captured[id]
	return ok
}

func (c *Core) takeoverAcknowledged(s *step, from *peer, m *wire.InitTakeoverAck) {
	target := c.peer(m.Target)
	if target == nil || target.takeover == nil {
		c.ignore(m)
		return
	}
	c.acknowledged(s, target, from.id)
}

// takeoverEnforced is RFC 5353 3.5.2, what a peer does about a TAKEOVER_SERVER: the sender is the home of the target's
// elements now, unless we hear the target, see dispute. If it is us, our presence shows the sender that we are here, and its
// audit what is ours.
func (c *Core) takeoverEnforced(s *step, from *peer, m *wire.TakeoverServer) {
	switch m.Target {
	case c.cfg.Self.ID:
		c.counters.TakenFromUs++
		c.announce(s, c.newPresence(0, false))
		return
	case from.id:
		c.ignore(m)
		return
	}
	target, told := c.peer(m.Target), c.claimed(s, from, m.Target)
	if target != nil {
		if told && target.state == Active { // it has spoken since
			return
		}
		if target.state == Active || target.state == Suspect {
			c.deactivate(s, target)
		}
		if target.doubted {
			target.heir = from.id
			return
		}
	}
	c.surrender(s, m.Target, from.id)
}

// surrender makes a registrar the home of the elements of one that it has taken over.
func (c *Core) surrender(s *step, id, heir wire.ServerID) {
	if target := c.peer(id); target != nil {
		if target.takeover != nil {
			c.stopTakeover(target)
		}
		c.drop(s, target)
	}
	if p := c.peer(heir); p != nil && len(p.dispute.denied) > 0 {
		p.stale = true // what it has of them may be newer
	}
	for k, e := range c.space.Children(id, handlespace.Key{}) {
		c.learn(s, heir, k.Pool, e.Wire())
	}
}
