// SPDX-License-Identifier: Apache-2.0

package enrp

import (
	"iter"
	"sort"
	"time"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// cursor is how far a peer has got in our handle table, which it reads part by part (RFC 5353 3.2.3 step 2).
type cursor struct {
	own     bool
	session uint64
	after   handlespace.Key // the last element that it has
	expires time.Time
}

// list answers a LIST_REQUEST (RFC 5353 3.2.2.2) with all peers that are there but the one that asks.
func (c *Core) list(s *step, to *peer) {
	m := &wire.ListResponse{Servers: c.between(to.id), Reject: !c.start.done}
	var infos []wire.ServerInfo
	for _, p := range c.peers {
		if p != to && p.info != nil && (p.state == Active || p.state == Suspect) {
			infos = append(infos, *p.info)
		}
	}
	if c.start.done {
		m.Peers = infos
	}
	if !c.encodes(m) { // as many as fit
		n := sort.Search(len(infos), func(i int) bool {
			m.Peers = infos[:i+1]
			return !c.encodes(m)
		})
		m.Peers = infos[:n]
	}
	c.send(s, to, m)
}

// table answers a HANDLE_TABLE_REQUEST with the next part, or rejects it: while we do not know the handlespace ourselves
// (RFC 5353 3.2.3), while too many others are reading it, and to who was unknown until it asked, and has to say first who it
// is.
func (c *Core) table(s *step, from From, p *peer, m *wire.HandleTableRequest) {
	cur := c.cursors[p.id]
	if cur != nil && (cur.session != from.Session || cur.own != m.OwnChildren || past(cur.expires, s.now)) {
		cur = nil // it begins anew
	}
	if !c.start.done || p.info == nil || cur == nil && c.full(p.id) {
		c.counters.TablesRejected++
		delete(c.cursors, p.id)
		s.do(Send{from.Session, &wire.HandleTableResponse{Servers: c.between(p.id), Reject: true}})
		return
	}
	if cur == nil {
		cur = &cursor{own: m.OwnChildren, session: from.Session}
	}
	part := c.nextPart(cur)
	part.Servers = c.between(p.id)
	if part.More {
		cur.expires = s.now.Add(c.cfg.Timers.NoResponse)
		c.cursors[p.id] = cur
	} else {
		c.counters.TablesServed++
		delete(c.cursors, p.id)
	}
	s.do(Send{from.Session, part})
}

func (c *Core) full(but wire.ServerID) bool {
	_, has := c.cursors[but]
	return !has && len(c.cursors) >= c.cfg.MaxDownloads
}

// nextPart is what follows cur, which moves on.
func (c *Core) nextPart(cur *cursor) *wire.HandleTableResponse {
	m := &wire.HandleTableResponse{}
	size, elements := tableHeaderLen, 0
	for k, e := range c.entries(cur) {
		need := c.entryLen(k.Pool, e)
		if need == 0 {
			cur.after = k
			continue
		}
		last := len(m.Entries) - 1
		same := last >= 0 && m.Entries[last].Pool == k.Pool
		if same {
			need -= handleLen(k.Pool)
		}
		if elements > 0 && (size+need > c.cfg.MaxTableBytes || elements == c.cfg.MaxTableElements) {
			m.More = true
			break
		}
		if !same {
			m.Entries, last = append(m.Entries, wire.PoolEntry{Pool: k.Pool}), last+1
		}
		m.Entries[last].Elements = append(m.Entries[last].Elements, e.Wire())
		size, elements, cur.after = size+need, elements+1, k
	}
	return m
}

func (c *Core) entries(cur *cursor) iter.Seq2[handlespace.Key, *handlespace.Element] {
	if cur.own {
		return c.space.Children(c.cfg.Self.ID, cur.after)
	}
	return c.space.All(cur.after)
}

// tableHeaderLen is the length of a HANDLE_TABLE_RESPONSE without entries.
const tableHeaderLen = wire.HeaderLen + 8

// handleLen is the length of a Pool Handle parameter with its padding.
func handleLen(h wire.PoolHandle) int { return (4 + len(h) + 3) &^ 3 }

// entryLen is the length of a pool entry with one element; 0 if no message could hold it.
func (c *Core) entryLen(h wire.PoolHandle, e *handlespace.Element) int {
	entry := wire.PoolEntry{Pool: h, Elements: []wire.PoolElement{e.Wire()}}
	if !c.encodes(&wire.HandleTableResponse{Entries: []wire.PoolEntry{entry}}) {
		c.counters.Unsendable++
		return 0
	}
	return len(c.scratch) - tableHeaderLen
}

func (c *Core) encodes(m wire.ENRPMessage) bool {
	var err error
	c.scratch, err = wire.AppendENRP(c.scratch[:0], m)
	return err == nil
}
