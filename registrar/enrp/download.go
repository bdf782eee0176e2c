// SPDX-License-Identifier: Apache-2.0

package enrp

import (
	"cmp"
	"slices"
	"time"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// download is a peer's handle table on its way to us: all of it from our mentor (RFC 5353 3.2.3), or the peer's own elements
// to resynchronise (3.6.3).
type download struct {
	own     bool
	session uint64    // in which it was asked for
	answer  time.Time // when the next part should be here
	// marked are the peer's elements that are not in the table so far (RFC 5353 3.6.3 step 1).
	marked map[handlespace.Key]struct{}
	denied map[handlespace.Key]struct{} // see dispute
	// announced are those of which the peer told meanwhile. If that came in another session the table may be older.
	announced map[handlespace.Key]struct{}
}

// download asks for the first part.
func (c *Core) download(s *step, p *peer, own bool) {
	if len(p.sessions) == 0 {
		return
	}
	d := &download{
		own: own, session: p.sessions[len(p.sessions)-1],
		denied: map[handlespace.Key]struct{}{}, announced: map[handlespace.Key]struct{}{},
	}
	if own {
		d.marked = make(map[handlespace.Key]struct{}, c.space.NumChildren(p.id))
		for k := range c.space.Children(p.id, handlespace.Key{}) {
			d.marked[k] = struct{}{}
		}
	}
	p.download = d
	c.requestPart(s, p)
}

func (c *Core) requestPart(s *step, p *peer) {
	d := p.download
	d.answer = s.now.Add(c.cfg.Timers.NoResponse)
	s.do(Send{d.session, &wire.HandleTableRequest{Servers: c.between(p.id), OwnChildren: d.own}})
}

// tabled takes in a part of a table that we asked for.
func (c *Core) tabled(s *step, p *peer, m *wire.HandleTableResponse) {
	d := p.download
	if d == nil {
		c.ignore(m)
		return
	}
	if m.Reject || m.More && len(m.Entries) == 0 { // no part may be empty but the last, or a table could go on for ever
		c.downloadFailed(s, p)
		return
	}
	for _, entry := range m.Entries {
		for _, e := range entry.Elements {
			c.enter(s, p, entry.Pool, e)
		}
	}
	if m.More {
		c.requestPart(s, p)
		return
	}
	p.download = nil
	c.counters.Resyncs++
	if !d.own {
		c.synchronise(s, p)
		return
	}
	p.stale, p.dispute.denied = false, d.denied
	c.sweep(s, p, d)
}

// sweep forgets the elements that the table does not have (RFC 5353 3.6.3 step 5).
func (c *Core) sweep(s *step, p *peer, d *download) {
	gone := make([]handlespace.Key, 0, len(d.marked))
	for k := range d.marked {
		if e := c.space.Find(k); e != nil && e.Home == p.id {
			gone = append(gone, k)
		}
	}
	slices.SortFunc(gone, func(a, b handlespace.Key) int {
		return cmp.Or(cmp.Compare(a.Pool, b.Pool), cmp.Compare(a.PE, b.PE))
	})
	for _, k := range gone {
		s.do(Forget{Home: p.id, Key: k})
	}
	c.release(s, gone)
}

// enter takes in an entry of p's table, unless we know better.
func (c *Core) enter(s *step, p *peer, pool wire.PoolHandle, e wire.PoolElement) {
	if e.Home == 0 {
		e.Home = p.id
	}
	k, d := handlespace.Key{Pool: pool, PE: e.ID}, p.download
	if d.own && e.Home != p.id || e.Home == c.cfg.Self.ID { // if we are its home, its registration will come to us
		return
	}
	if _, told := d.announced[k]; told && e.Home == p.id {
		return
	}
	if e.Home == p.id && c.usurped(p, k) {
		d.denied[k] = struct{}{}
		return
	}
	if known := c.space.Find(k); known != nil {
		hearsay := e.Home != p.id && e.Home != known.Home && c.stands(known.Home)
		if hearsay || known.Home == c.cfg.Self.ID && !c.yields(s, p, known) {
			return
		}
	}
	c.learn(s, e.Home, pool, e)
}

func (c *Core) learn(s *step, home wire.ServerID, pool wire.PoolHandle, e wire.PoolElement) {
	e.Home = home
	if p := c.peer(home); p != nil {
		k := handlespace.Key{Pool: pool, PE: e.ID}
		delete(p.dispute.denied, k)
		if p.download != nil {
			delete(p.download.marked, k)
			delete(p.download.denied, k)
		}
	}
	s.do(Learn{Home: home, Pool: pool, Element: e})
}

// yields says whether an element of ours goes to p, whose table has it as its own: see the package comment. Who is right
// shows by itself as long as one of us will find out that the element is not there; only if that goes on for too long it is
// settled, and what is registered here waits longer than what is not.
func (c *Core) yields(s *step, p *peer, e *handlespace.Element) bool {
	var lasting time.Duration
	if !p.mismatched.IsZero() {
		lasting = s.now.Sub(p.mismatched)
	}
	patience := c.cfg.Timers.LastHeard
	if registered(e) {
		return lasting >= 2*patience && !c.wins(p.id)
	}
	_, captured := c.captured[p.id]
	return captured || !c.wins(p.id) || lasting >= patience
}

// registered says whether an element of ours is registered with us, and did not only come to us by a takeover.
func registered(e *handlespace.Element) bool { return e.Identity() != "" && e.State == handlespace.Up }

// downloadFailed gives up a table, if one is on its way. What was learnt stays; nothing is forgotten. The next request waits
// until the peer has given up too, so that it does not take the new one for the next part of the old one.
func (c *Core) downloadFailed(s *step, p *peer) {
	d := p.download
	if d == nil {
		return
	}
	p.download = nil
	c.counters.ResyncsFailed++
	if next := s.now.Add(2 * c.cfg.Timers.NoResponse); p.nextResync.Before(next) {
		p.nextResync = next
	}
	if c.start.mentor == p {
		c.mentorFailed(s, p)
	}
}
