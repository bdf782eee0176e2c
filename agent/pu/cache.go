// SPDX-License-Identifier: Apache-2.0

package pu

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

const (
	// maxEntries bounds the cache; beyond it the entry that was used least
	// recently, and that nobody waits for, is dropped.
	maxEntries = 1024
	// avoidFor is how long an element that was unreachable is the last choice.
	avoidFor = 30 * time.Second
	// reportEvery is the least time between two reports of one element: a pool
	// user has to limit them (RFC 5352 9.1, threat 8).
	reportEvery = 10 * time.Second
)

// Pool is what a registrar answered about a pool. Its slices are shared: do not
// write to them.
type Pool struct {
	Handle   wire.PoolHandle
	Policy   wire.Policy
	Elements []wire.PoolElement // in the registrar's order
	At       time.Time          // when it was answered
	Live     bool               // the registrar sends changes by itself
}

// cache is the translation cache of RFC 5352 3.3 (C1 to C4).
type cache struct {
	stale time.Duration

	mu     sync.Mutex
	random *rand.Rand
	pools  map[wire.PoolHandle]*entry
}

// entry is guarded by the cache's mutex.
type entry struct {
	pool    *Pool // nil: nothing is known
	err     error // of the last answer
	changed chan struct{}
	choice  choice
	avoided map[wire.PEID]time.Time // unreachable since; only elements of the pool
	users   int                     // who wait, and watchers
	used    time.Time
}

func newCache(stale time.Duration, random *rand.Rand) *cache {
	return &cache{stale: stale, random: random, pools: map[wire.PoolHandle]*entry{}}
}

// enter is the entry of a pool, to be left again.
func (c *cache) enter(pool wire.PoolHandle, now time.Time) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.pools[pool]
	if e == nil {
		e = c.add(pool, now)
	}
	e.users++
	e.used = now
	return e
}

// prepare makes room for an answer that nobody waits for; false if there is an
// entry already, or the cache is half full: elements ask for this, and must not
// drive out what the program has asked for.
func (c *cache) prepare(pool wire.PoolHandle, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pools[pool] != nil || len(c.pools) >= maxEntries/2 {
		return false
	}
	c.add(pool, now)
	return true
}

func (c *cache) add(pool wire.PoolHandle, now time.Time) *entry {
	c.makeRoom()
	e := &entry{changed: make(chan struct{}), avoided: map[wire.PEID]time.Time{}, used: now}
	c.pools[pool] = e
	return e
}

func (c *cache) makeRoom() {
	if len(c.pools) < maxEntries {
		return
	}
	var oldest wire.PoolHandle
	for pool, e := range c.pools {
		if e.users == 0 && (oldest == "" || e.used.Before(c.pools[oldest].used)) {
			oldest = pool
		}
	}
	delete(c.pools, oldest)
}

// leave drops an entry that has nothing to tell.
func (c *cache) leave(pool wire.PoolHandle, e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.users--; e.users == 0 && e.pool == nil && c.pools[pool] == e {
		delete(c.pools, pool)
	}
}

func (c *cache) purge(pool wire.PoolHandle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.pools[pool]; e != nil {
		e.pool = nil
		if e.users == 0 {
			delete(c.pools, pool)
		}
	}
}

// view is an entry at one moment.
type view struct {
	pool    *Pool
	err     error
	changed <-chan struct{}
	fresh   bool
}

func (c *cache) view(e *entry, now time.Time) view {
	c.mu.Lock()
	defer c.mu.Unlock()
	fresh := e.pool != nil && e.err == nil && (e.pool.Live || now.Sub(e.pool.At) < c.stale)
	return view{e.pool, e.err, e.changed, fresh}
}

// settle takes an answer in, if anybody ever asked.
func (c *cache) settle(answer settle, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.pools[answer.pool]
	if e == nil {
		return
	}
	e.err = answer.err
	switch {
	case answer.response != nil:
		e.fill(answer.response, now)
	case answer.negative:
		e.pool = nil
	}
	close(e.changed)
	e.changed = make(chan struct{})
}

func (e *entry) fill(r *wire.HandleResolutionResponse, now time.Time) {
	p := Pool{Handle: r.Pool, Policy: wire.RoundRobin(), Elements: r.Elements, At: now, Live: r.Accepted}
	if r.Policy != nil { // RFC 5352 2.2.6: round robin if absent
		p.Policy = *r.Policy
	}
	if e.pool == nil || !sameChoice(*e.pool, p) { // else the turns go on where they were
		e.choice = newChoice(p)
	}
	e.pool = &p
	for id, since := range e.avoided {
		if p.index(id) < 0 || now.Sub(since) > avoidFor {
			delete(e.avoided, id)
		}
	}
}

func (c *cache) unlive(pool wire.PoolHandle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.pools[pool]; e != nil && e.pool != nil && e.pool.Live {
		p := *e.pool
		p.Live = false
		e.pool = &p
	}
}

// choose selects an element that is not in except: first those that preferred
// names, in its order, then by the pool's policy; and those that were
// unreachable only if nobody else is left.
func (c *cache) choose(e *entry, except map[wire.PEID]bool, preferred []wire.PEID, now time.Time) (wire.PoolElement, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.pool == nil {
		return wire.PoolElement{}, false
	}
	well := func(id wire.PEID) bool { return !except[id] && !e.avoids(id, now) }
	for _, id := range preferred {
		if i := e.pool.index(id); i >= 0 && well(id) {
			return e.pool.Elements[i], true
		}
	}
	i := e.choice.next(c.random, well)
	if i < 0 {
		i = e.choice.next(c.random, func(id wire.PEID) bool { return !except[id] })
	}
	if i < 0 {
		return wire.PoolElement{}, false
	}
	return e.choice.elements[i], true
}

func (e *entry) avoids(id wire.PEID, now time.Time) bool {
	since, ok := e.avoided[id]
	return ok && now.Sub(since) <= avoidFor
}

// unreachable notes a failure, and tells whether it should be reported. Only an
// element that the cache gave out can be (RFC 5352 3.5: not unless the user has
// tried to send to it).
func (c *cache) unreachable(pool wire.PoolHandle, id wire.PEID, now time.Time) (report bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.pools[pool]
	if e == nil || e.pool == nil || e.pool.index(id) < 0 {
		return false, fmt.Errorf("element %v of pool %q is not in the cache", id, string(pool))
	}
	since, ok := e.avoided[id]
	if ok && now.Sub(since) < reportEvery {
		return false, nil
	}
	e.avoided[id] = now
	return true, nil
}

func (p *Pool) index(id wire.PEID) int {
	return slices.IndexFunc(p.Elements, func(e wire.PoolElement) bool { return e.ID == id })
}
