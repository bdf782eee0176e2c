// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// reconciler makes the kernel's maps follow the handlespace. It is the one place where the two
// halves meet, one goroutine, and the only writer of services, elements and selections.
//
// A handlespace that is not synchronised yet never empties the maps: after a restart, elements
// of the last run keep their flows and their share of new ones until they register again, or
// another registrar tells of them, or the recovery is over, which begins anew when the registrar
// has heard from the others.
type reconciler struct {
	kernel   *bpf.WeirMaps
	table    *maps.Flows
	steering *maps.Steering
	ways     ways
	teller   *teller
	inbox    *inbox
	tunnels  tunnels
	log      *slog.Logger
	closing  time.Duration // how long a flow that is over is kept
	recovery time.Duration
	requests chan func() // run between two steps, on the reconciler's own goroutine

	selection    maps.SelectionKey
	keyDue       time.Time // when the next selection key is; zero: never
	services     []*service
	pools        map[wire.PoolHandle]change // the newest snapshot of each pool
	recoverUntil time.Time                  // zero once the recovery is over
	whole        bool                       // the handlespace is synchronised
	flows        map[uint16]uint64          // of the last sweep, by row
	asked        map[maps.Service]uint64    // clients of lost elements that were asked to speak
	swept        time.Time
	sweepEvery   time.Duration
}

const (
	// sweepPause is the least time between two passes over the flow table. A pass over a large
	// table takes longer; the pause is then sweepShare times that, so that it costs a bounded
	// part of a core.
	sweepPause = time.Second
	sweepShare = 20
)

func newReconciler(kernel *bpf.WeirMaps, table *maps.Flows, in *inbox, t *teller, log *slog.Logger) *reconciler {
	return &reconciler{
		kernel: kernel, table: table, teller: t, log: log, inbox: in, requests: make(chan func()),
		tunnels: tunnels{kernel: kernel, log: log},
		pools:   map[wire.PoolHandle]change{}, asked: map[maps.Service]uint64{}, sweepEvery: sweepPause,
	}
}

// configure takes the services of cfg over what the kernel has: at start from an earlier run, at
// a reload from this one. A pool that is known already is applied at once. When that fails, what was
// served before goes on.
func (r *reconciler) configure(cfg Config, now time.Time) error {
	var services []*service
	for _, c := range cfg.Services {
		services = append(services, &service{
			Service: c.endpoint(), options: c.options(), by: c.Spread, lists: c.lists(), drain: c.drainTime(), pool: c.Pool, elements: map[elementKey]*element{}})
	}
	steering, err := openSteering(r.kernel, services)
	if err != nil {
		return errors.Join(err, r.ways.lost(r.steering))
	}
	err = errors.Join(r.close(), r.tunnels.configure(cfg.TunnelSource)) // now that there is another one
	before := r.services
	r.steering, r.services, r.recovery, r.closing = steering, services, cfg.Recovery, cfg.Flows.Closing
	r.endDenied()
	r.adopt(now)
	r.remember(before)
	r.update(values(r.pools), now)
	return errors.Join(err, r.ways.lost(steering))
}

func openSteering(kernel *bpf.WeirMaps, services []*service) (*maps.Steering, error) {
	var endpoints []maps.Service
	for _, s := range services {
		endpoints = append(endpoints, s.Service)
	}
	steering, err := maps.OpenSteering(kernel, endpoints)
	if err != nil {
		return nil, err
	}
	for _, s := range services {
		if err := errors.Join(steering.Configure(s.Service, s.options), steering.Restrict(s.Service, s.lists)); err != nil {
			return nil, errors.Join(err, steering.Close())
		}
	}
	return steering, nil
}

// close lets go of the maps' memory, and leaves the kernel as it is.
func (r *reconciler) close() error {
	if r.steering == nil {
		return nil
	}
	err := r.steering.Close()
	r.steering = nil
	return err
}

func (r *reconciler) adopt(now time.Time) {
	kept := 0
	for _, s := range r.services {
		for _, row := range r.steering.Rows(s.Service) {
			s.adopt(row, now)
			kept++
		}
	}
	r.apply(r.services...)
	if kept > 0 {
		r.recoverUntil = now.Add(r.recovery)
		r.log.Info("kept the elements of the last run", "elements", kept, "until", r.recovery)
	}
}

// remember takes over what no row tells of elements: who they are, and whether their clients were told.
func (r *reconciler) remember(before []*service) {
	for _, s := range r.services {
		i := slices.IndexFunc(before, func(b *service) bool { return b.Service == s.Service && b.pool == s.pool })
		if i < 0 {
			continue
		}
		for key, e := range s.elements {
			if was := before[i].elements[key]; was != nil {
				e.identity, e.home, e.since = was.identity, was.home, was.since
				if e.state == was.state {
					e.tell = was.tell
				}
			}
		}
	}
}

// run follows the handlespace until ctx ends. It leaves the kernel as it is.
func (r *reconciler) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.inbox.wake:
			r.takeChanges(time.Now())
		case <-r.ways.news():
			r.renewHops(time.Now())
		case do := <-r.requests:
			do()
		case <-timer.C:
			r.tick(time.Now())
		}
		r.ways.follow(r.services)
		timer.Reset(time.Until(r.deadline()))
	}
}

func (r *reconciler) takeChanges(now time.Time) {
	changes, whole := r.inbox.take()
	if whole && !r.whole && !r.recoverUntil.IsZero() {
		r.recoverUntil = now.Add(r.recovery)
	}
	r.whole = whole
	for handle, c := range changes {
		r.pools[handle] = change{pool: c.pool}
		if c.pool.Len() == 0 {
			delete(r.pools, handle)
		}
	}
	r.update(values(changes), now)
}

// update follows changes of pools, and writes all services that they are about at once.
func (r *reconciler) update(changes []change, now time.Time) {
	if len(changes) == 0 {
		return
	}
	var changed []*service
	for _, c := range changes {
		c.orders = r.orders(c.pool.Handle())
		for _, s := range r.services {
			if s.pool == c.pool.Handle() {
				r.tellUnfit(s, c.pool)
				s.update(c, now)
				changed = append(changed, s)
			}
		}
	}
	r.apply(changed...)
	for _, s := range changed {
		r.tellClients(s, now)
	}
	if !slices.ContainsFunc(r.services, (*service).recovering) {
		r.recoverUntil = time.Time{}
	}
}

func values(changes map[wire.PoolHandle]change) (all []change) {
	for _, c := range changes {
		all = append(all, c)
	}
	return all
}

// tellUnfit says once of each element of the pool that cannot serve the service why that is.
func (r *reconciler) tellUnfit(s *service, pool *handlespace.Pool) {
	unfit := map[wire.PEID]string{}
	for m := range pool.All() {
		if _, reason := s.place(m); reason != "" {
			unfit[m.ID] = reason
			if s.unfit[m.ID] != reason {
				r.log.Warn("an element gets nothing of a service", "service", s.Service, "element", m.ID, "identity", m.Identity, "reason", reason)
			}
		}
	}
	s.unfit = unfit
}

// tick does what is due: renew the next hops, end the recovery and drains, tell clients of lost elements, sweep the flows.
func (r *reconciler) tick(now time.Time) {
	if now.Sub(r.ways.renewed) >= renewEvery {
		r.renewHops(now)
	}
	if r.whole && !r.recoverUntil.IsZero() && !now.Before(r.recoverUntil) {
		r.endRecovery(now)
	}
	for _, s := range r.services {
		if s.expire(now) {
			r.apply(s)
		}
		r.tellClients(s, now)
	}
	if !r.keyDue.IsZero() && !now.Before(r.keyDue) {
		r.rotate(now)
	}
	if now.Sub(r.swept) >= r.sweepEvery {
		r.sweep(now)
	}
}

func (r *reconciler) endRecovery(now time.Time) {
	r.recoverUntil = time.Time{}
	for _, s := range r.services {
		if lost := s.endRecovery(now); lost > 0 {
			r.log.Warn("elements of the last run did not register again", "service", s.Service, "elements", lost)
			r.apply(s)
		}
	}
}

func (r *reconciler) deadline() time.Time {
	next := r.swept.Add(r.sweepEvery)
	if again := r.ways.renewed.Add(renewEvery); r.ways.finder != nil && again.Before(next) {
		next = again
	}
	if r.whole && !r.recoverUntil.IsZero() && r.recoverUntil.Before(next) {
		next = r.recoverUntil
	}
	if !r.keyDue.IsZero() && r.keyDue.Before(next) {
		next = r.keyDue
	}
	for _, s := range r.services {
		for _, e := range s.elements {
			if len(e.tell) > 0 && e.tell[0].Before(next) {
				next = e.tell[0]
			}
			if !e.until.IsZero() && e.until.Before(next) {
				next = e.until
			}
		}
	}
	return next
}

// sweep ages the flow table, then frees the rows whose elements have nothing left.
func (r *reconciler) sweep(now time.Time) {
	gone := r.steering.Retired()
	result, err := r.table.Sweep(gone)
	took := time.Since(now)
	r.swept, r.sweepEvery = now.Add(took), max(sweepPause, sweepShare*took)
	if err != nil {
		r.log.Error("sweep the flow table", "error", err)
		return
	}
	r.flows = result.Flows
	if err := r.steering.Release(gone); err != nil {
		r.log.Error("release the rows of elements that are gone", "error", err)
	}
	for _, s := range r.services {
		r.retire(s, now)
	}
	r.reweigh(now)
}

// retire lets go of draining elements without flows, and of lost ones once their clients had time
// to hear of it. Those that an operator's order stands for stay, so that it is known when they come back.
func (r *reconciler) retire(s *service, now time.Time) {
	before := len(s.elements)
	for _, row := range r.steering.Rows(s.Service) {
		key := elementKey{wire.PEID(row.PE), row.Addr}
		e := s.elements[key]
		if e == nil || e.since.After(now.Add(-r.closing)) {
			continue
		}
		if (e.state == maps.Lost || e.state == maps.Draining && r.flows[row.Index] == 0) && !s.mustKeep(key) {
			delete(s.elements, key)
		}
	}
	if len(s.elements) != before {
		r.apply(s)
	}
}
