// SPDX-License-Identifier: Apache-2.0

package hunt

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// race is one round. Its fields belong to run, but for the channels.
type race[S io.Closer] struct {
	h        *Hunter[S]
	places   int // attempts at once
	results  chan result[S]
	resolved chan resolution
	tasks    sync.WaitGroup

	waiting  []Target
	seen     map[netip.AddrPort]bool // ever waiting
	running  []Target
	lookups  int // under way
	failures []error
}

type result[S io.Closer] struct {
	target  Target
	session S
	err     error
}

type resolution struct {
	registrar Registrar
	addrs     []netip.Addr
	err       error
}

func newRace[S io.Closer](h *Hunter[S], places int) *race[S] {
	return &race[S]{h: h, places: places, results: make(chan result[S]), resolved: make(chan resolution), seen: map[netip.AddrPort]bool{}}
}

// run is over with the first session, with ctx, or when nobody is left. The
// caller then ends ctx and waits for the tasks.
func (r *race[S]) run(ctx context.Context) (won Found[S], ok bool) {
	var news <-chan struct{}
	r.enter(ctx)
	if r.h.cfg.Hints != nil {
		news = r.h.cfg.Hints.news
		r.hints()
	}
	alone := time.NewTimer(headStart)
	defer alone.Stop()
	for free := true; ; {
		if free && r.start(ctx) {
			free = false
			alone.Reset(headStart)
		}
		if len(r.running) == 0 && r.lookups == 0 && news == nil {
			return won, false // nobody waits either, or start had begun with him
		}
		select {
		case <-ctx.Done():
			return won, false
		case res := <-r.results:
			if res.err == nil {
				return Found[S]{res.session, res.target}, true
			}
			r.lost(res.target, res.err)
			free = true // SH4: another address at once
		case found := <-r.resolved:
			r.lookups--
			r.add(found)
		case <-alone.C:
			free = true
		case <-news:
			r.hints()
		}
	}
}

// enter begins with the configured registrars: addresses may be dialed at
// once, names are looked up beside each other.
func (r *race[S]) enter(ctx context.Context) {
	for _, registrar := range r.h.cfg.Registrars {
		if addr, err := netip.ParseAddr(registrar.Host); err == nil {
			r.add(resolution{registrar, []netip.Addr{addr}, nil})
			continue
		}
		r.lookups++
		r.tasks.Go(func() {
			addrs, err := r.h.cfg.Lookup(ctx, registrar.Host)
			select {
			case r.resolved <- resolution{registrar, addrs, err}:
			case <-ctx.Done():
			}
		})
	}
}

func (r *race[S]) add(found resolution) {
	if found.err != nil {
		r.failures = append(r.failures, fmt.Errorf("resolve %s: %w", found.registrar.Host, found.err))
	}
	for _, addr := range found.addrs {
		remote := netip.AddrPortFrom(addr.Unmap(), found.registrar.Port)
		r.enqueue(Target{Host: found.registrar.Host, Protocol: r.h.cfg.Protocol, Remote: remote})
	}
}

func (r *race[S]) hints() {
	for _, t := range r.h.cfg.Hints.targets(r.h.cfg.Protocol) {
		r.enqueue(t)
	}
}

func (r *race[S]) enqueue(t Target) {
	if !r.seen[t.Remote] {
		r.seen[t.Remote] = true
		r.waiting = append(r.waiting, t)
	}
}

// start begins with the best target that waits, if there may be one more.
func (r *race[S]) start(ctx context.Context) bool {
	if len(r.waiting) == 0 || len(r.running) == r.places {
		return false
	}
	best := 0
	for i, t := range r.waiting {
		if r.h.failedAt(t).Before(r.h.failedAt(r.waiting[best])) {
			best = i
		}
	}
	t := r.waiting[best]
	r.waiting = slices.Delete(r.waiting, best, best+1)
	r.running = append(r.running, t)
	r.tasks.Go(func() {
		session, err := r.h.cfg.Dial(ctx, t)
		select {
		case r.results <- result[S]{t, session, err}:
		case <-ctx.Done():
			if err == nil {
				_ = session.Close() // another one won
			}
		}
	})
	return true
}

func (r *race[S]) lost(t Target, err error) {
	r.running = slices.DeleteFunc(r.running, func(o Target) bool { return o.Remote == t.Remote })
	r.failures = append(r.failures, fmt.Errorf("%v: %w", t, err))
	level := slog.LevelDebug
	if suspect(err) && r.h.failedAt(t).IsZero() { // RFC 5352 9.2 wants it logged, whoever else is found
		level = slog.LevelWarn
	}
	r.h.cfg.Log.Log(context.Background(), level, "registrar passed over", "registrar", t.String(), "err", err)
	r.h.Failed(t)
}

// giveUp blames those who have not answered when T5 expired.
func (r *race[S]) giveUp(waited time.Duration) {
	for _, t := range slices.Clone(r.running) {
		r.lost(t, fmt.Errorf("no answer within %v", waited))
	}
}
