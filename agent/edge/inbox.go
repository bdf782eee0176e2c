// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"sync"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// inbox takes the registrar's changes without ever blocking it. Changes of one pool that come
// faster than the kernel is written coalesce: the newest snapshot, and all departures.
type inbox struct {
	wake    chan struct{} // holds a token while there is something to take
	mu      sync.Mutex
	changes map[wire.PoolHandle]change
	whole   bool // the handlespace is synchronised
}

// change is what happened to a pool since it was last looked at.
type change struct {
	pool     *handlespace.Pool
	departed []handlespace.Departure
	orders   orders // of the pool's elements, for those that come
}

func newInbox() *inbox {
	return &inbox{wake: make(chan struct{}, 1), changes: map[wire.PoolHandle]change{}}
}

// PoolChanged implements registrar.Observer.
func (b *inbox) PoolChanged(p *handlespace.Pool, departed []handlespace.Departure) {
	b.mu.Lock()
	c := b.changes[p.Handle()]
	c.pool = p
	c.departed = append(c.departed, departed...)
	b.changes[p.Handle()] = c
	b.mu.Unlock()
	b.ring()
}

// Synchronised implements registrar.Observer.
func (b *inbox) Synchronised() {
	b.mu.Lock()
	b.whole = true
	b.mu.Unlock()
	b.ring()
}

func (b *inbox) ring() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take is what has changed, and whether the handlespace is whole.
func (b *inbox) take() (changes map[wire.PoolHandle]change, whole bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.changes
	b.changes = map[wire.PoolHandle]change{}
	return taken, b.whole
}
