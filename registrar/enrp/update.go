// SPDX-License-Identifier: Apache-2.0

package enrp

import (
	"time"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// maxClaims bounds the announcements that are remembered; of older ones it is assumed that nothing crossed them.
const maxClaims = 4096

// claim is an announcement of ours that may still be on its way.
type claim struct {
	at       time.Time
	defended bool // it was repeated against a peer's
}

// claims are those by element, and in the order in which they were made.
type claims struct {
	made  map[handlespace.Key]*claim
	order []madeClaim
}

type madeClaim struct {
	key   handlespace.Key
	claim *claim
}

func (l *claims) add(now time.Time, k handlespace.Key, lasting time.Duration) {
	for len(l.order) > 0 && (len(l.order) == maxClaims || now.Sub(l.order[0].claim.at) > lasting) {
		first := l.order[0]
		l.order = l.order[1:]
		if l.made[first.key] == first.claim {
			delete(l.made, first.key)
		}
	}
	cl := &claim{at: now}
	l.made[k] = cl
	l.order = append(l.order, madeClaim{k, cl})
}

// Updated takes in that an element of ours was registered, registered again, changed or went, and tells all peers (RFC 5353
// 3.3). What we took over is not announced until it has registered with us: peers learn of it by the takeover.
func (c *Core) Updated(now time.Time, action wire.UpdateAction, pool wire.PoolHandle, e wire.PoolElement) []Action {
	s := c.begin(now)
	k := handlespace.Key{Pool: pool, PE: e.ID}
	if action == wire.ActionAddPE {
		mine := c.space.Find(k) // nil: it became ours only to leave, and its departure follows
		if mine != nil && (mine.Home != c.cfg.Self.ID || mine.Identity() == "") {
			return nil
		}
	}
	if len(c.sessions) == 0 {
		return nil
	}
	if action == wire.ActionAddPE {
		c.claims.add(now, k, c.cfg.Timers.Crossing)
	}
	c.announceElement(&s, action, pool, e)
	return s.actions
}

func (c *Core) announceElement(s *step, action wire.UpdateAction, pool wire.PoolHandle, e wire.PoolElement) {
	e.Home = c.cfg.Self.ID
	m := &wire.HandleUpdate{Servers: c.between(0), Action: action, Pool: pool, Element: e}
	if !c.encodes(m) {
		c.counters.Unsendable++
		return
	}
	c.counters.UpdatesSent++
	c.announce(s, m)
}

// update takes in a peer's announcement (RFC 5353 3.3.1, 3.3.2). Only an element's home may make one.
func (c *Core) update(s *step, from From, p *peer, m *wire.HandleUpdate) {
	if m.Element.Home != p.id && m.Element.Home != 0 {
		c.refuse(s, c.sessions[from.Session], m, wire.CauseSecurity, "not the element's home")
		return
	}
	k := handlespace.Key{Pool: m.Pool, PE: m.Element.ID}
	known := c.space.Find(k)
	if m.Action == wire.ActionDeletePE {
		delete(p.dispute.denied, k)
		if known == nil || !c.speaksFor(p, known.Home) {
			c.ignore(m)
			return
		}
		c.counters.UpdatesReceived++
		s.do(Forget{Home: p.id, Key: k})
		return
	}
	if known != nil && known.Home == c.cfg.Self.ID && c.defends(s, p, k, known) {
		return
	}
	c.counters.UpdatesReceived++
	if d := p.download; d != nil && len(d.announced) < maxClaims {
		d.announced[k] = struct{}{}
	}
	c.learn(s, p.id, m.Pool, m.Element)
}

// speaksFor says whether p may remove an element of this home: it is the home, or has taken the home over without telling,
// as rsplib does.
func (c *Core) speaksFor(p *peer, home wire.ServerID) bool {
	return home == p.id || home != c.cfg.Self.ID && !c.stands(home)
}

// defends repeats an announcement of ours that a peer's may have crossed: else each of us would take the other for the
// element's home. The second time the identifiers settle it.
func (c *Core) defends(s *step, p *peer, k handlespace.Key, e *handlespace.Element) bool {
	cl := c.claims.made[k]
	if cl == nil || s.now.Sub(cl.at) > c.cfg.Timers.Crossing || !registered(e) || cl.defended && !c.wins(p.id) {
		return false
	}
	cl.defended = true
	c.counters.UpdatesDefended++
	c.announceElement(s, wire.ActionAddPE, k.Pool, e.Wire())
	return true
}
