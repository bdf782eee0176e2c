// SPDX-License-Identifier: Apache-2.0

package enrp

import (
	"cmp"
	"slices"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

// peer is a registrar in the list of peers (RFC 5353 3.4).
type peer struct {
	id       wire.ServerID
	info     *wire.ServerInfo // nil until it has told us
	state    PeerState
	heard    bool          // it has spoken to us, and is not only known by hearsay
	last     time.Time     // peer_last_heard (RFC 5353 4.1), or when we heard of it
	answer   time.Time     // of a Suspect: when it is dead; of a doubted one: when it has not answered
	guard    time.Time     // of an Inactive: when whoever takes it over should have finished
	sessions []uint64      // in which it has spoken, by age
	met      time.Time     // when the newest of them was identified
	takeover *takeover     // ours, of this peer
	doubted  bool          // of an Inactive: we heard it when another's takeover was told, and have asked it; until answer
	heir     wire.ServerID // of a doubted one: who has taken it over, if that was told; else 0
	dispute  dispute       // about what it took over from others

	stale      bool      // messages may have been lost: get its table even if the checksums agree
	download   *download // of its table, under way
	nextResync time.Time // no other one before that
	said       uint16    // its checksum, as it told last
	putOff     time.Time // no other one before that, as long as it says the same
	futile     int       // resynchronisations in a row after which the checksums still differed
	mismatched time.Time // since when they differ; zero if they do not
	mentorFrom time.Time // it is not asked to be the mentor before that
}

func (c *Core) search(id wire.ServerID) (int, bool) {
	return slices.BinarySearchFunc(c.peers, id, func(p *peer, id wire.ServerID) int { return cmp.Compare(p.id, id) })
}

// peer is the peer of this identifier, nil if there is none.
func (c *Core) peer(id wire.ServerID) *peer {
	i, found := c.search(id)
	if !found {
		return nil
	}
	return c.peers[i]
}

// addPeer adds a candidate, which must not be there and for which there must be room.
func (c *Core) addPeer(s *step, id wire.ServerID) *peer {
	p := &peer{id: id, state: Candidate, last: s.now}
	i, _ := c.search(id)
	c.peers = slices.Insert(c.peers, i, p)
	s.do(PeerChanged{id, Candidate})
	return p
}

// drop takes a peer out of the list. Its sessions can only be half of one.
func (c *Core) drop(s *step, p *peer) {
	p.doubted = false
	c.become(s, p, Gone)
	c.unlocate(p)
	for _, id := range slices.Clone(p.sessions) {
		c.hangup(s, c.sessions[id])
	}
	i, _ := c.search(p.id)
	c.peers = slices.Delete(c.peers, i, i+1)
}

func (c *Core) become(s *step, p *peer, state PeerState) {
	if p.state != state {
		p.state = state
		s.do(PeerChanged{p.id, state})
	}
}

func (c *Core) configured(id wire.ServerID) bool {
	return slices.ContainsFunc(c.cfg.Known, func(p Peer) bool { return p.Server == id })
}

// hear notes that a peer is there. A takeover of it ends: "the initiating server MUST immediately stop the takeover process
// and mark the status of the target server as active" (RFC 5353 3.5.1).
func (c *Core) hear(s *step, p *peer) {
	p.heard, p.last = true, s.now
	p.doubted, p.heir = false, 0
	if p.takeover != nil {
		c.stopTakeover(p)
	}
	c.become(s, p, Active)
}

// suspect asks a peer whether it is there (RFC 5353 3.4.3).
func (c *Core) suspect(s *step, p *peer) {
	c.become(s, p, Suspect)
	p.answer = s.now.Add(c.cfg.Timers.NoResponse)
	c.send(s, p, c.newPresence(p.id, true))
}

// due is when lapse has something to do with p.
func (p *peer) due(t *Timers) time.Time {
	var first time.Time
	switch p.state {
	case Candidate, Active:
		first = p.last.Add(t.LastHeard)
	case Suspect:
		first = p.answer
	case Inactive:
		first = p.guard
		if p.doubted {
			first = p.answer
		}
	case Dead:
		if p.takeover != nil {
			first = p.takeover.expires
		}
	}
	if p.download != nil {
		first = earliest(first, p.download.answer)
	}
	return first
}

// lapse does what is due to p.
func (c *Core) lapse(s *step, p *peer) {
	if c.peer(p.id) != p { // this step dropped it
		return
	}
	if d := p.download; d != nil && past(d.answer, s.now) {
		c.downloadFailed(s, p)
	}
	if !past(p.due(&c.cfg.Timers), s.now) {
		return
	}
	switch {
	case p.doubted:
		c.silent(s, p)
	case p.state == Suspect:
		c.die(s, p)
	case p.state == Dead:
		c.insist(s, p)
	default:
		c.suspect(s, p)
	}
}

// die is RFC 5353 3.4.3: the peer is considered dead, and taken over. If we do not know yet what there is to take over, that
// waits; if there never was anything, nobody has to be asked.
func (c *Core) die(s *step, p *peer) {
	c.downloadFailed(s, p)
	switch {
	case !c.start.done:
		c.become(s, p, Dead)
	case !p.heard && c.space.NumChildren(p.id) == 0:
		c.drop(s, p)
	default:
		c.initiate(s, p)
	}
	c.excuse(s, p)
}

// adopt makes a candidate of every home of elements that is no peer: nobody else might notice that it is dead. It becomes a
// peer when it speaks, or else is taken over.
func (c *Core) adopt(s *step) {
	for _, home := range c.space.Homes() {
		if home != c.cfg.Self.ID && c.peer(home) == nil && len(c.peers) < c.cfg.MaxPeers {
			c.addPeer(s, home)
		}
	}
}

// stands says whether a registrar speaks for its elements itself.
func (c *Core) stands(home wire.ServerID) bool {
	p := c.peer(home)
	return p != nil && (p.state == Active || p.state == Suspect || p.doubted)
}
