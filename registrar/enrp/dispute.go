// SPDX-License-Identifier: Apache-2.0

package enrp

import (
	"time"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// dispute is what a peer says to have taken over, of registrars that may be there for us: it does not hear them, and we do.
// Then its copy of their elements is older than ours, and not believed: neither its table, nor what that adds to its
// checksum. That an element has registered with it, which is announced, is.
type dispute struct {
	took   map[wire.ServerID]time.Time  // whom, and since when
	denied map[handlespace.Key]struct{} // what its table has of theirs
}

// claimed notes that a peer takes over another, and says whether that was known.
func (c *Core) claimed(s *step, by *peer, target wire.ServerID) bool {
	d := &by.dispute
	if _, known := d.took[target]; known {
		return true
	}
	if d.took == nil {
		d.took = map[wire.ServerID]time.Time{}
	}
	if len(d.took) < c.cfg.MaxPeers { // beyond that its tables are believed
		d.took[target] = s.now
	}
	return false
}

// deactivate gives a target up in favour of who takes it over (RFC 5353 3.5.1), until nothing comes of that. One that was
// there for us in a session is asked whether it still is. As long as it may answer, it stays the home of its elements.
func (c *Core) deactivate(s *step, target *peer) {
	target.guard = s.now.Add(guardRounds * c.cfg.Timers.TakeoverExpiry)
	ask := target.state == Active && len(target.sessions) > 0
	if ask {
		target.answer = s.now.Add(c.cfg.Timers.NoResponse)
	}
	if ask || target.state == Suspect && len(target.sessions) > 0 { // which has been asked
		target.doubted = true
	}
	c.become(s, target, Inactive)
	if ask {
		c.send(s, target, c.newPresence(target.id, true))
	}
}

// silent takes in that a target does not answer us either.
func (c *Core) silent(s *step, target *peer) {
	heir := target.heir
	target.doubted, target.heir = false, 0
	if heir != 0 && c.stands(heir) {
		c.surrender(s, target.id, heir)
	}
}

// usurped says whether an element in p's table only is there because p took over its home, which is there for us.
func (c *Core) usurped(p *peer, k handlespace.Key) bool {
	e := c.space.Find(k)
	if e == nil {
		return false
	}
	_, took := p.dispute.took[e.Home]
	return took && c.stands(e.Home)
}

// withDenied is what p's checksum is if it has, besides what we know of it, what is denied to it.
func (c *Core) withDenied(p *peer) uint16 {
	var denied wire.Checksum
	for k := range p.dispute.denied {
		if c.usurped(p, k) {
			denied.Add(k.Pool, k.PE)
		}
	}
	sum := uint32(^c.space.Checksum(p.id)) + uint32(^denied.Value()) // of one's complement (RFC 1071)
	return ^uint16(sum>>16 + sum&0xffff)
}

// release lets others have what a registrar turned out not to have any more: they are asked at once.
func (c *Core) release(s *step, gone []handlespace.Key) {
	for _, p := range c.peers {
		before := len(p.dispute.denied)
		for _, k := range gone {
			delete(p.dispute.denied, k)
		}
		if len(p.dispute.denied) < before && p.download == nil {
			c.download(s, p, true)
		}
	}
}

// reconciled ends disputes with p, which has no more than we know of it. One that has just begun goes on: p may only be about
// to take over.
func (c *Core) reconciled(s *step, p *peer) {
	p.dispute.denied = nil
	for id, since := range p.dispute.took {
		target := c.peer(id)
		if target != nil && target.state == Active && s.now.Sub(since) > guardRounds*c.cfg.Timers.TakeoverExpiry {
			delete(p.dispute.took, id)
		}
	}
}
