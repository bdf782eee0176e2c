// SPDX-License-Identifier: Apache-2.0

package pu

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/weir-lb/weir/agent/hunt"
	"github.com/weir-lb/weir/agent/link"
	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/wire"
)

const (
	// patience is how long a stale answer is kept back while a newer one may come
	// (RFC 5352 3.3, C3: block the user, or answer in parallel; both, in turn).
	patience = time.Second
	// maxPoolHandle is the longest pool handle in bytes that is asked for.
	maxPoolHandle = 65000
)

// ErrClosed is the answer of a User after Close.
var ErrClosed = errors.New("the pool user is closed")

// User is a pool user. Its methods may be called from any goroutine.
type User struct {
	cfg    Config
	cache  *cache
	loop   *loop
	cancel context.CancelFunc
	closed chan struct{}
	ended  sync.WaitGroup
}

// New starts a pool user, which looks for a registrar when it is first asked
// something. Close ends it.
func New(cfg Config) (*User, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.setDefaults()
	hunter, err := hunt.New(hunt.Config[*transport.Session]{
		Registrars: cfg.Registrars, Hints: cfg.Hints, Protocol: cfg.Protocol, Dial: cfg.Dial, Log: cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	u := &User{cfg: cfg, cache: newCache(cfg.Stale, random()), closed: make(chan struct{})}
	u.loop = &loop{
		log: cfg.Log, machine: newMachine(&u.cfg, random()), cache: u.cache, hunter: hunter,
		calls: make(chan func(time.Time) []action), found: make(chan found), reports: make(chan link.Report),
	}
	var ctx context.Context
	ctx, u.cancel = context.WithCancel(context.Background())
	u.ended.Go(func() {
		defer close(u.closed)
		u.loop.run(ctx)
	})
	return u, nil
}

func random() *rand.Rand { return rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) }

// Close ends the session with the registrar, and whatever waits for it.
// Connections to elements are left alone.
func (u *User) Close() error {
	u.cancel()
	u.ended.Wait()
	return nil
}

// call lets f act on the machine in its loop.
func (u *User) call(ctx context.Context, f func(*machine, time.Time) []action) error {
	select {
	case u.loop.calls <- func(now time.Time) []action { return f(u.loop.machine, now) }:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-u.closed:
		return ErrClosed
	}
}

// Resolve gives the elements and the policy of a pool: from the cache if the
// answer there is not stale, else from a registrar (RFC 5352 3.3). A stale answer
// is better than none: it comes after a second in which no registrar answered.
// The errors are ErrUnknownPool, ErrNoElement, ctx's, and that no registrar
// serves us.
func (u *User) Resolve(ctx context.Context, pool wire.PoolHandle) (Pool, error) {
	e, err := u.enter(pool)
	if err != nil {
		return Pool{}, err
	}
	defer u.cache.leave(pool, e)
	return u.resolve(ctx, pool, e)
}

func (u *User) enter(pool wire.PoolHandle) (*entry, error) {
	if pool == "" || len(pool) > maxPoolHandle {
		return nil, fmt.Errorf("a pool handle has 1 to %d bytes, this one has %d", maxPoolHandle, len(pool))
	}
	return u.cache.enter(pool, time.Now()), nil
}

func (u *User) resolve(ctx context.Context, pool wire.PoolHandle, e *entry) (Pool, error) {
	before := u.cache.view(e, time.Now())
	if before.fresh {
		return *before.pool, nil
	}
	if err := u.call(ctx, func(m *machine, now time.Time) []action { return m.ask(now, pool) }); err != nil {
		return Pool{}, err
	}
	var late <-chan time.Time
	if before.pool != nil {
		late = time.After(patience)
	}
	select {
	case <-before.changed:
	case <-late:
		return *before.pool, nil
	case <-ctx.Done():
		return Pool{}, fmt.Errorf("resolve %q: %w", string(pool), ctx.Err())
	case <-u.closed:
		return Pool{}, ErrClosed
	}
	after := u.cache.view(e, time.Now())
	if after.pool != nil { // also if no registrar answered: the stale one
		return *after.pool, nil
	}
	if after.err == nil { // purged meanwhile
		after.err = ErrUnknownPool
	}
	return Pool{}, fmt.Errorf("resolve %q: %w", string(pool), after.err)
}

// Select resolves, and chooses an element by the pool's policy (RFC 5356).
// Elements that were reported unreachable lately are chosen only if there is no
// other.
func (u *User) Select(ctx context.Context, pool wire.PoolHandle) (wire.PoolElement, error) {
	e, err := u.enter(pool)
	if err != nil {
		return wire.PoolElement{}, err
	}
	defer u.cache.leave(pool, e)
	if _, err := u.resolve(ctx, pool, e); err != nil {
		return wire.PoolElement{}, err
	}
	chosen, ok := u.cache.choose(e, nil, nil, time.Now())
	if !ok {
		return chosen, ErrNoElement
	}
	return chosen, nil
}

// Watch yields the pool as it is, and again after each change, until ctx ends:
// by updates of the registrar (RFC 5352 2.2.5, the S flag), or by asking again
// after each stale value if it sends none. An error does not end it, such as
// ErrUnknownPool; one beside a pool says that the pool may be out of date. Of
// several changes while the caller is busy it sees the last.
func (u *User) Watch(ctx context.Context, pool wire.PoolHandle) iter.Seq2[Pool, error] {
	return func(yield func(Pool, error) bool) {
		e, err := u.enter(pool)
		if err != nil {
			yield(Pool{}, err)
			return
		}
		defer u.cache.leave(pool, e)
		if err := u.call(ctx, func(m *machine, now time.Time) []action { return m.watch(now, pool) }); err != nil {
			yield(Pool{}, err)
			return
		}
		defer func() {
			_ = u.call(context.Background(), func(m *machine, now time.Time) []action { return m.unwatch(now, pool) })
		}()
		u.follow(ctx, e, yield)
	}
}

func (u *User) follow(ctx context.Context, e *entry, yield func(Pool, error) bool) {
	var last view
	for {
		v := u.cache.view(e, time.Now())
		if (v.pool != nil || v.err != nil) && !v.repeats(last) {
			last = v
			if !v.yield(yield) {
				return
			}
		}
		select {
		case <-v.changed:
		case <-ctx.Done():
			return
		case <-u.closed:
			yield(Pool{}, ErrClosed)
			return
		}
	}
}

// repeats says that v is nothing new after last.
func (v view) repeats(last view) bool {
	if (v.pool == nil) != (last.pool == nil) || (v.err == nil) != (last.err == nil) {
		return false
	}
	if v.err != nil && v.err.Error() != last.err.Error() {
		return false
	}
	return v.pool == nil || v.pool.Same(*last.pool)
}

func (v view) yield(yield func(Pool, error) bool) bool {
	if v.pool == nil {
		return yield(Pool{}, v.err)
	}
	return yield(*v.pool, v.err)
}

// Purge forgets what is known of a pool (RFC 5352 6.4).
func (u *User) Purge(pool wire.PoolHandle) { u.cache.purge(pool) }

// ReportUnreachable tells the registrar that an element could not be reached
// (RFC 5352 3.5, 6.9.2), and makes it the last choice for a while. It is for
// an element that this User gave out, and that the program has tried to reach.
// One element is reported at most every 10 s.
func (u *User) ReportUnreachable(ctx context.Context, pool wire.PoolHandle, id wire.PEID) error {
	report, err := u.cache.unreachable(pool, id, time.Now())
	if err != nil || !report {
		return err
	}
	return u.call(ctx, func(m *machine, now time.Time) []action { return m.report(now, pool, id) })
}
