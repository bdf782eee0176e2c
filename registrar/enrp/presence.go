// SPDX-License-Identifier: Apache-2.0

package enrp

import (
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

// maxFutile bounds how long a resynchronisation that does not help is put off: NoResponse, doubled as often.
const maxFutile = 4

// newPresence is ours, as of now. It always has the server information: rsplib wants it.
func (c *Core) newPresence(to wire.ServerID, reply bool) *wire.Presence {
	sum, info := c.space.Checksum(c.cfg.Self.ID), c.cfg.Self
	return &wire.Presence{Servers: c.between(to), ReplyRequired: reply, Checksum: &sum, Info: &info}
}

// beat is RFC 5353 3.4.2.
func (c *Core) beat(s *step) {
	c.heartbeat = s.now.Add(c.cfg.Timers.HeartbeatCycle)
	m := c.newPresence(0, false)
	c.announce(s, m)
	if c.cfg.Multicast {
		s.do(Multicast{m})
	}
}

// presence takes in that a peer is there, what it says about itself, and the checksum of its elements.
func (c *Core) presence(s *step, from From, p *peer, m *wire.Presence) {
	if m.Info != nil {
		if m.Info.ID != p.id {
			c.refuse(s, c.sessions[from.Session], m, wire.CauseInvalidValues, "the server information is another registrar's")
			return
		}
		p.info = &wire.ServerInfo{ID: p.id, Transport: bounded(m.Info.Transport)}
		c.locate(p.id, p.info.Transport)
	}
	if m.ReplyRequired {
		c.send(s, p, c.newPresence(p.id, false))
	}
	if !c.start.done {
		c.hunt(s)
		return
	}
	if m.Checksum != nil {
		c.audit(s, p, *m.Checksum)
	}
}

// audit is RFC 5353 3.6.1: if the checksums differ, a resynchronisation is carried out immediately. One that does not help,
// since the handlespace cannot hold what the peer has, is not repeated all the time, as long as the peer says the same.
func (c *Core) audit(s *step, p *peer, sum uint16) {
	if p.download != nil { // what we know of it is changing just now
		return
	}
	c.counters.Audits++
	if sum != p.said {
		p.said, p.futile, p.putOff = sum, 0, time.Time{}
	}
	equal := sum == c.space.Checksum(p.id)
	if equal {
		delete(c.captured, p.id)
		c.reconciled(s, p)
	}
	if equal || sum == c.withDenied(p) {
		p.mismatched, p.futile, p.putOff = time.Time{}, 0, time.Time{}
		if !p.stale {
			return
		}
	} else {
		c.counters.Mismatches++
		if p.mismatched.IsZero() {
			p.mismatched = s.now
		}
	}
	if p.nextResync.After(s.now) || p.putOff.After(s.now) {
		return
	}
	p.nextResync, p.putOff = s.now.Add(c.cfg.Timers.NoResponse), s.now.Add(c.cfg.Timers.NoResponse<<p.futile)
	p.futile = min(p.futile+1, maxFutile)
	c.download(s, p, true)
}
