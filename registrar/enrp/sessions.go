// SPDX-License-Identifier: Apache-2.0

package enrp

import (
	"slices"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

// maxSessions bounds the sessions of one peer, and in all the sessions whose peer has not spoken yet for each peer that
// there may be. Two are normal: each side dialled.
const maxSessions = 4

// From is where a message comes from.
type From struct {
	Session uint64
	// Server is whom the session's key belongs to: the only sender that is believed. 0 in an unsecured registrar: whoever
	// speaks first.
	Server wire.ServerID
}

// session is a connection with another registrar.
type session struct {
	id      uint64
	bound   wire.ServerID // see From
	peer    *peer         // who speaks there; nil until it has
	contact *contact      // whose dialling led to it; nil if the peer dialled
	asked   bool          // a reply to a Presence was required there
}

// Connected takes in a new session. dial is the ID of the Dial that led to it, 0 if the other side dialled.
func (c *Core) Connected(now time.Time, from From, dial uint64) []Action {
	s := c.begin(now)
	if old := c.sessions[from.Session]; old != nil { // a number comes again only if its session is over
		c.end(&s, old)
	}
	if len(c.sessions) >= maxSessions*c.cfg.MaxPeers {
		s.do(Hangup{from.Session})
		c.dialled(now, dial, nil)
		return s.actions
	}
	ses := &session{id: from.Session, bound: from.Server}
	c.sessions[ses.id] = ses
	if dial == 0 {
		return s.actions // whoever dialled speaks first
	}
	c.dialled(now, dial, ses)
	to := ses.bound
	if to == 0 && ses.contact != nil {
		to = ses.contact.server
	}
	ses.asked = true
	s.do(Send{ses.id, c.newPresence(to, true)})
	return s.actions
}

// Closed takes in that a session ended.
func (c *Core) Closed(now time.Time, id uint64) []Action {
	s := c.begin(now)
	if ses := c.sessions[id]; ses != nil {
		c.end(&s, ses)
	}
	return s.actions
}

// end takes a session out. A peer whose last one this was is asked at once whether it is still there: RFC 5353 3.4.3 has
// "if the send fails" as one of two reasons to consider it dead, and the other takes longer.
func (c *Core) end(s *step, ses *session) {
	delete(c.sessions, ses.id)
	if ct := ses.contact; ct != nil {
		ct.lost()
	}
	p := ses.peer
	if p == nil {
		return
	}
	p.sessions = slices.DeleteFunc(p.sessions, func(id uint64) bool { return id == ses.id })
	if cur := c.cursors[p.id]; cur != nil && cur.session == ses.id {
		delete(c.cursors, p.id)
	}
	if d := p.download; d != nil && d.session == ses.id {
		c.downloadFailed(s, p)
	}
	if c.start.mentor == p && len(p.sessions) == 0 {
		c.mentorFailed(s, p)
	}
	switch {
	case len(p.sessions) > 0:
	case p.doubted:
		c.silent(s, p)
	case p.state == Active || p.state == Candidate:
		c.suspect(s, p)
	}
}

func (c *Core) hangup(s *step, ses *session) {
	s.do(Hangup{ses.id})
	c.end(s, ses)
}

// speaker is the peer that sent m, or nil if nothing must come of it. What comes from it shows that it is there (RFC 5353
// 3.4.3), even if it is for somebody else.
func (c *Core) speaker(s *step, from From, m wire.ENRPMessage) *peer {
	ses := c.sessions[from.Session]
	if ses == nil {
		c.ignore(m)
		return nil
	}
	sender := m.Between().Sender
	_, isError := m.(*wire.ENRPErrorMessage)
	switch {
	case isError: // never answered: two ends that do not understand each other would go on for ever
		c.counters.PeerErrors++
		if ses.peer != nil && ses.peer.id == sender {
			c.hear(s, ses.peer)
		}
		return nil
	case sender == 0:
		c.refuse(s, ses, m, wire.CauseInvalidValues, "no sender")
		return nil
	case sender == c.cfg.Self.ID:
		c.collide(s, ses, m)
		return nil
	case ses.bound != 0 && sender != ses.bound || ses.peer != nil && sender != ses.peer.id:
		c.refuse(s, ses, m, wire.CauseSecurity, "the session is another registrar's")
		return nil
	}
	p := c.acquaint(s, ses, m)
	if p != nil && !c.forUs(m) {
		c.ignore(m)
		return nil
	}
	return p
}

// forUs says whether a message is for us or for everybody. RFC 5353 has no rule for others; they come from a peer that takes
// us for who was here before, and will learn from our presence who we are.
func (c *Core) forUs(m wire.ENRPMessage) bool {
	to := m.Between().Receiver
	return to == 0 || to == c.cfg.Self.ID
}

// acquaint is the peer that m names as its sender, a new one if need be (RFC 5353 3.4.1); nil if there may be no such peer.
func (c *Core) acquaint(s *step, ses *session, m wire.ENRPMessage) *peer {
	id := m.Between().Sender
	p := c.peer(id)
	if p == nil {
		switch {
		case c.cfg.Secured && !c.configured(id):
			c.refuse(s, ses, m, wire.CauseSecurity, "not a registrar of this scope")
			return nil
		case len(c.peers) >= c.cfg.MaxPeers:
			c.refuse(s, ses, m, wire.CauseLackOfResources, "too many peers")
			return nil
		}
		p = c.addPeer(s, id)
	}
	c.identify(s, ses, p)
	first := !p.heard
	c.hear(s, p)
	if first && !ses.asked { // RFC 5353 3.4.1: to learn all about it
		ses.asked = true
		c.send(s, p, c.newPresence(p.id, true))
	}
	return p
}

// identify notes that p speaks in ses. From now on it is spoken to there: a newer session shows that an older one may have
// ended at its other end. Unless both sides just dialled, messages may have been lost, and p is stale.
func (c *Core) identify(s *step, ses *session, p *peer) {
	if ses.peer == p {
		return
	}
	if len(p.sessions) == 0 || s.now.Sub(p.met) > c.cfg.Timers.NoResponse {
		p.stale, p.mismatched = true, time.Time{}
	}
	p.met = s.now
	ses.peer, p.sessions = p, append(p.sessions, ses.id)
	if ses.contact != nil {
		ses.contact.server = p.id
	}
	if len(p.sessions) > maxSessions {
		c.hangup(s, c.sessions[p.sessions[0]])
	}
}

// collide takes a message from ourselves, if an address of ours is among those to dial, or from somebody with our identifier
// (RFC 5353 3.2.1: of no severe consequence).
func (c *Core) collide(s *step, ses *session, m wire.ENRPMessage) {
	c.note(s, ses, m, &wire.Error{Cause: wire.CauseInvalidValues, Reason: "our own identifier"})
	if ses.contact != nil {
		ses.contact.self = true
	}
	c.hangup(s, ses)
}

// refuse answers a message with an ENRP_ERROR.
func (c *Core) refuse(s *step, ses *session, m wire.ENRPMessage, cause wire.CauseCode, reason string) {
	err := &wire.Error{Cause: cause, Report: true, Reason: reason}
	c.note(s, ses, m, err)
	s.do(Send{ses.id, &wire.ENRPErrorMessage{Servers: c.between(m.Between().Sender), Causes: err.ErrorCauses()}})
}

func (c *Core) note(s *step, ses *session, m wire.ENRPMessage, err *wire.Error) {
	c.counters.Refused[err.Cause]++
	s.do(Refused{Session: ses.id, Sender: m.Between().Sender, Err: err})
}

// Fault takes in that bytes of a session are no message, or one with unrecognized parameters. RFC 5353 3.7 has the sender
// told if RFC 5354 asks for it.
func (c *Core) Fault(now time.Time, from From, fault *wire.Error) []Action {
	s := c.begin(now)
	ses := c.sessions[from.Session]
	if ses == nil || !fault.Report {
		return nil
	}
	to := ses.bound
	if ses.peer != nil {
		to = ses.peer.id
	}
	s.do(Send{ses.id, &wire.ENRPErrorMessage{Servers: c.between(to), Causes: fault.ErrorCauses()}})
	return s.actions
}
