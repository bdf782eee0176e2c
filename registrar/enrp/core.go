// SPDX-License-Identifier: Apache-2.0

package enrp

import (
	"slices"
	"time"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// Core is a registrar's ENRP. It is not safe for concurrent use. The times that it is given must never go back.
type Core struct {
	cfg       Config
	space     Space
	now       time.Time // of the last call
	peers     []*peer   // by identifier
	sessions  map[uint64]*session
	contacts  []*contact
	dials     uint64 // how many there were: the number of the last
	heartbeat time.Time
	start     startup
	cursors   map[wire.ServerID]*cursor
	claims    claims
	captured  map[wire.ServerID]time.Time // whom we took over, and when, until the peer is back and agrees with us
	scratch   []byte                      // to measure what a message would hold
	counters  Counters
}

// New makes a Core that knows nobody. Start is next.
func New(cfg Config) *Core {
	return &Core{
		cfg: cfg.withDefaults(), space: cfg.Space,
		sessions: map[uint64]*session{}, cursors: map[wire.ServerID]*cursor{}, captured: map[wire.ServerID]time.Time{},
		claims: claims{made: map[handlespace.Key]*claim{}},
	}
}

// Start begins: with the search for a mentor if there may be one (RFC 5353 3.2.2.1).
func (c *Core) Start(now time.Time) []Action {
	s := c.begin(now)
	for _, p := range c.cfg.Known {
		if p.Server != c.cfg.Self.ID {
			c.contacts = append(c.contacts, &contact{fixed: true, configured: p.Server, server: p.Server, transport: p.Transport})
		}
	}
	c.beat(&s)
	c.dialAll(&s)
	c.start.giveUp = now.Add(c.cfg.Timers.MentorHunt)
	if len(c.contacts) == 0 && !c.cfg.Multicast {
		c.synchronise(&s, nil)
	}
	return s.actions
}

// Synchronised says whether the action of this name has come.
func (c *Core) Synchronised() bool { return c.start.done }

// Handle takes a message in.
func (c *Core) Handle(now time.Time, from From, m wire.ENRPMessage) []Action {
	s := c.begin(now)
	p := c.speaker(&s, from, m)
	if p == nil {
		return s.actions
	}
	switch m := m.(type) {
	case *wire.Presence:
		c.presence(&s, from, p, m)
	case *wire.ListRequest:
		c.list(&s, p)
	case *wire.ListResponse:
		c.listed(&s, p, m)
	case *wire.HandleTableRequest:
		c.table(&s, from, p, m)
	case *wire.HandleTableResponse:
		c.tabled(&s, p, m)
	case *wire.HandleUpdate:
		c.update(&s, from, p, m)
	case *wire.InitTakeover:
		c.takeoverInitiated(&s, p, m)
	case *wire.InitTakeoverAck:
		c.takeoverAcknowledged(&s, p, m)
	case *wire.TakeoverServer:
		c.takeoverEnforced(&s, p, m)
	}
	return s.actions
}

// Tick does what is due at now.
func (c *Core) Tick(now time.Time) []Action {
	s := c.begin(now)
	if past(c.heartbeat, now) { // first: what it says of the handlespace must not be changed by this step's actions
		c.adopt(&s)
		c.beat(&s)
	}
	c.dialAll(&s)
	for _, p := range slices.Clone(c.peers) {
		c.lapse(&s, p)
	}
	for id, cur := range c.cursors {
		if past(cur.expires, now) {
			delete(c.cursors, id) // RFC 5353 3.2.3: "cleaning out any resource and record of the session"
		}
	}
	c.hunt(&s)
	return s.actions
}

// Deadline is when Tick has something to do next, not before the last call: who should be dialled since then was not due when
// somebody was still connected there. It costs O(peers).
func (c *Core) Deadline() time.Time {
	first := earliest(c.heartbeat, c.start.due(c))
	for _, p := range c.peers {
		first = earliest(first, p.due(&c.cfg.Timers))
	}
	for _, ct := range c.contacts {
		if !ct.next.IsZero() && c.wanted(ct) {
			first = earliest(first, later(ct.next, c.now))
		}
	}
	for _, cur := range c.cursors {
		first = earliest(first, cur.expires)
	}
	return first
}

// Forgive begins the waits for answers that are over at now anew. It is for a caller that did not run for a while: what
// peers said meanwhile could not be noticed.
func (c *Core) Forgive(now time.Time) {
	again := now.Add(c.cfg.Timers.NoResponse)
	for _, p := range c.peers {
		if (p.state == Suspect || p.doubted) && past(p.answer, now) {
			p.answer = again
		}
		if p.download != nil && past(p.download.answer, now) {
			p.download.answer = again
		}
	}
	if past(c.start.answer, now) {
		c.start.answer = again
	}
}

// between are the two identifiers of a message from us; to is 0 for what goes to all.
func (c *Core) between(to wire.ServerID) wire.Servers {
	return wire.Servers{Sender: c.cfg.Self.ID, Receiver: to}
}

// send gives a message to a peer in its newest session. A peer without one gets nothing: what it missed it finds out by its
// audit.
func (c *Core) send(s *step, p *peer, m wire.ENRPMessage) {
	if n := len(p.sessions); n > 0 {
		s.do(Send{p.sessions[n-1], m})
	}
}

// announce gives a message to all peers, over the sessions with them (RFC 5353 3.1).
func (c *Core) announce(s *step, m wire.ENRPMessage) {
	for _, p := range c.peers {
		c.send(s, p, m)
	}
}
