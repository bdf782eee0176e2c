// SPDX-License-Identifier: Apache-2.0

package asap

import (
	"container/list"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

const (
	// spread is in how many parts an interval is cut: a pool's subscribers are not all told at once.
	spread = 10
	// maxBatch is how many of them are told at once at most, so that the pools of many hold nobody else up for long.
	maxBatch = 100
)

// audience is who wants to know of one pool's changes (RFC 5352 2.2.5, the S flag).
type audience struct {
	pool wire.PoolHandle
	// members are *subscriber, in the order in which they were told: if the first of them knows how the pool is now, all do.
	members *list.List
	next    instant // when some of them are told; 0 if all know all
	index   int     // in the queue
}

func (a *audience) due() instant { return a.next }
func (a *audience) place() *int  { return &a.index }

// batch is how many are told at once: all in one interval, if they are not too many.
func (a *audience) batch() int { return min(maxBatch, (a.members.Len()+spread-1)/spread) }

// subscriber is a session's subscription to a pool.
type subscriber struct {
	to      handlespace.Identity
	network string  // whose share it has; "" of one that has proven its name
	limit   int     // how many elements it wants
	knows   uint64  // the generation of the pool that it was told
	told    instant // when
}

func newSubscriber(from handlespace.Identity, limit int, knows uint64, told instant) *subscriber {
	one := &subscriber{to: from, limit: limit, knows: knows, told: told}
	if from.Kind() != handlespace.Proven {
		one.network = reporter(from)
	}
	return one
}

// subscriptions are all, by pool and by session.
type subscriptions struct {
	audiences map[wire.PoolHandle]*audience
	sessions  map[uint64]map[wire.PoolHandle]*list.Element
	networks  map[string]int // how many there are of each network whose peers have proven nothing
	due       queue[*audience]
	total     int
	unproven  int // of these, of all networks
}

func newSubscriptions() subscriptions {
	return subscriptions{
		audiences: map[wire.PoolHandle]*audience{}, sessions: map[uint64]map[wire.PoolHandle]*list.Element{},
		networks: map[string]int{},
	}
}

// subscribe notes that from, who is told how the pool is just now, wants to know when that changes. Returns whether it will:
// not of a pool that does not exist (RFC 5352 2.2.5), and not without room: "it has resource issues and cannot supply this
// feature" (2.2.6).
func (c *Core) subscribe(s *step, from handlespace.Identity, h wire.PoolHandle, limit int) bool {
	p := c.space.Pool(h)
	if p == nil {
		return false
	}
	one := newSubscriber(from, limit, p.Generation(), s.now)
	mine := c.subs.sessions[from.Session()]
	if at := mine[h]; at != nil {
		at.Value = one
		c.subs.audiences[h].members.MoveToBack(at)
		return true
	}
	if len(mine) >= c.cfg.Subscriptions.PerSession || !c.subs.hasRoom(one, c.cfg.Subscriptions) {
		c.counters.Unsubscribed++
		return false
	}
	c.subs.add(one, h)
	return true
}

// hasRoom keeps those who prove nothing from taking all: addresses cost little, and an identity must be granted. Where
// nobody can prove anything there is nobody to keep the other half for.
func (t *subscriptions) hasRoom(one *subscriber, limits Subscriptions) bool {
	switch {
	case t.total >= limits.Total:
		return false
	case one.network == "":
		return true
	case t.networks[one.network] >= limits.PerNetwork:
		return false
	}
	return one.to.Kind() == handlespace.Plain || t.unproven < max(1, limits.Total/2)
}

// count notes that there is one more or one less.
func (t *subscriptions) count(one *subscriber, change int) {
	t.total += change
	if one.network == "" {
		return
	}
	t.unproven += change
	if t.networks[one.network] += change; t.networks[one.network] == 0 {
		delete(t.networks, one.network)
	}
}

func (t *subscriptions) add(one *subscriber, h wire.PoolHandle) {
	a := t.audiences[h]
	if a == nil {
		a = &audience{pool: h, members: list.New()}
		t.audiences[h] = a
		t.due.add(a)
	}
	mine := t.sessions[one.to.Session()]
	if mine == nil {
		mine = map[wire.PoolHandle]*list.Element{}
		t.sessions[one.to.Session()] = mine
	}
	mine[h] = a.members.PushBack(one)
	t.count(one, 1)
}

func (t *subscriptions) remove(session uint64, h wire.PoolHandle) {
	a, mine := t.audiences[h], t.sessions[session]
	t.count(a.members.Remove(mine[h]).(*subscriber), -1)
	delete(mine, h)
	if len(mine) == 0 {
		delete(t.sessions, session)
	}
	if a.members.Len() == 0 {
		t.due.remove(a)
		delete(t.audiences, h)
	}
}

// end ends all subscriptions of a session: they last "for the lifetime of the SCTP association".
func (t *subscriptions) end(session uint64) {
	for h := range t.sessions[session] {
		t.remove(session, h)
	}
}

// stale notes that a pool has changed. Its subscribers learn it a little later, together with what changes until then.
func (c *Core) stale(now instant, h wire.PoolHandle) {
	if a := c.subs.audiences[h]; a != nil && a.next == 0 {
		a.next = now.after(c.cfg.Subscriptions.Interval / spread)
		c.subs.due.moved(a)
	}
}

// update tells those whose turn it is.
func (c *Core) update(s *step) {
	for a, due, ok := c.subs.due.first(); ok && due <= s.now; a, due, ok = c.subs.due.first() {
		c.tell(s, a)
	}
}

// tell tells one batch of a pool's subscribers how it is now. None is told twice in an interval, and the next batch, if
// there is one, comes a part of an interval later.
func (c *Core) tell(s *step, a *audience) {
	var now uint64 // 0: the pool is gone, which nobody knows who is still subscribed
	if p := c.space.Pool(a.pool); p != nil {
		now = p.Generation()
	}
	a.next = s.now.after(max(1, c.cfg.Subscriptions.Interval/spread))
	for range a.batch() {
		front := a.members.Front()
		one := front.Value.(*subscriber)
		if one.knows == now {
			a.next = 0
			return
		}
		if again := one.told.after(c.cfg.Subscriptions.Interval); again > s.now {
			a.next = again
			return
		}
		c.tellOne(s, a, front, now)
	}
}

// tellOne tells the first of the audience how the pool is. A pool that is gone ends the subscription: after a negative
// response "no further updates to the Pool (when it is created) will occur" (RFC 5352 2.2.5).
func (c *Core) tellOne(s *step, a *audience, front *list.Element, now uint64) {
	one := front.Value.(*subscriber)
	response := c.answer(a.pool, one.limit)
	response.Accepted = now != 0
	s.send(one.to, response)
	c.counters.Updates++
	if now == 0 {
		c.subs.remove(one.to.Session(), a.pool)
		return
	}
	one.knows, one.told = now, s.now
	a.members.MoveToBack(front)
}
