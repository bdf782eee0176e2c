// SPDX-License-Identifier: Apache-2.0

package enrp

import (
	"slices"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

// startup is RFC 5353 3.2.
type startup struct {
	done   bool
	giveUp time.Time // when we are alone, unless a mentor is at work
	mentor *peer     // who is at work; nil while none is found
	answer time.Time // when the mentor's list should be here; zero if it is
}

func (st *startup) due(c *Core) time.Time {
	if st.done {
		return time.Time{}
	}
	if st.mentor != nil {
		return st.answer
	}
	first := st.giveUp
	for _, p := range c.peers {
		if p.state == Active && len(p.sessions) > 0 && !p.mentorFrom.IsZero() {
			first = earliest(first, p.mentorFrom)
		}
	}
	return first
}

// hunt looks for a mentor among those who are there, and asks it for the peers that it knows (RFC 5353 3.2.2.2). When the
// time for that is over, we assume to be alone.
func (c *Core) hunt(s *step) {
	if c.start.done {
		return
	}
	if m := c.start.mentor; m != nil {
		if past(c.start.answer, s.now) {
			c.mentorFailed(s, m)
		}
		return
	}
	if m := c.mentor(s.now); m != nil {
		c.start.mentor, c.start.answer = m, s.now.Add(c.cfg.Timers.NoResponse)
		c.send(s, m, &wire.ListRequest{Servers: c.between(m.id)})
		return
	}
	if past(c.start.giveUp, s.now) {
		c.synchronise(s, nil)
	}
}

// mentor is who to ask next: those that we were told of first, in that order.
func (c *Core) mentor(now time.Time) *peer {
	var best *peer
	for _, p := range c.peers {
		if p.state != Active || len(p.sessions) == 0 || p.mentorFrom.After(now) {
			continue
		}
		if best == nil || c.rank(p) < c.rank(best) {
			best = p
		}
	}
	return best
}

func (c *Core) rank(p *peer) int {
	for i, k := range c.cfg.Known {
		if k.Server == p.id || k.Server == 0 && p.info != nil && samePlace(k.Transport, p.info.Transport) {
			return i
		}
	}
	return len(c.cfg.Known)
}

// mentorFailed leaves a mentor that rejected us or did not answer to its own: for a while, or for good if the time to look
// for mentors is over.
func (c *Core) mentorFailed(s *step, p *peer) {
	c.start.mentor, c.start.answer = nil, time.Time{}
	p.mentorFrom = s.now.Add(c.cfg.Timers.Redial)
	if past(c.start.giveUp, s.now) {
		p.mentorFrom = s.now.Add(c.cfg.Timers.LastHeard + c.cfg.Timers.MentorHunt)
	}
	c.hunt(s)
}

// listed is the mentor's answer, with our future peers. The handlespace is next (RFC 5353 3.2.3).
func (c *Core) listed(s *step, p *peer, m *wire.ListResponse) {
	switch {
	case c.start.done || c.start.mentor != p || c.start.answer.IsZero():
		c.ignore(m)
		return
	case m.Reject:
		c.mentorFailed(s, p)
		return
	}
	c.start.answer = time.Time{}
	for _, info := range m.Peers { // rsplib has us among them, and those of an unknown identifier as 0
		c.locate(info.ID, info.Transport)
		unknown := info.ID != 0 && info.ID != c.cfg.Self.ID && c.peer(info.ID) == nil
		if unknown && len(c.peers) < c.cfg.MaxPeers && (!c.cfg.Secured || c.configured(info.ID)) {
			c.addPeer(s, info.ID).info = &wire.ServerInfo{ID: info.ID, Transport: bounded(info.Transport)}
		}
	}
	c.download(s, p, false)
}

// synchronise ends the start. What was put off until then is done.
func (c *Core) synchronise(s *step, mentor *peer) {
	c.start = startup{done: true}
	var id wire.ServerID
	if mentor != nil {
		id, mentor.stale = mentor.id, false
	}
	s.do(Synchronised{Mentor: id})
	for _, p := range slices.Clone(c.peers) {
		if c.peer(p.id) == p && p.state == Dead {
			c.die(s, p)
		}
	}
}
