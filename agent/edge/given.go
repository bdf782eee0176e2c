// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"time"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// forgetGiven is how long flows count for an element that reports the same again: the handlespace does not tell
// a report that says the same from none.
const forgetGiven = time.Minute

// given is how many flows the kernel gave an element, and how many of them it had when it reported its load.
type given struct {
	flows, atReport uint64
	report          string // what it said
	reported        time.Time
}

func (g given) sinceReport() uint64 { return g.flows - g.atReport }

// count takes the kernel's count. One that is lower is another row's.
func (g *given) count(flows uint64, report string, now time.Time) {
	if report != g.report || flows < g.flows || now.Sub(g.reported) >= forgetGiven {
		g.report, g.reported, g.atReport = report, now, flows
	}
	g.flows = flows
}

// degrades says whether what elements are given changes their weights, which needs the kernel's count.
func (s *service) degrades() bool {
	return s.by == SpreadPolicy && (s.policyType == wire.PolicyLeastUsedWithDegradation || s.policyType == wire.PolicyPriorityLeastUsed)
}

// countGiven reads what each element was given, and weighs them anew (RFC 5356 5.2.2).
func (r *reconciler) countGiven(s *service, pool *handlespace.Pool, now time.Time) error {
	flows, err := r.steering.Chosen(s.Service)
	if err != nil {
		return err
	}
	reports := map[elementKey]string{}
	for m := range pool.All() {
		if key, ok := s.key(m); ok {
			reports[key] = string(m.Policy.Data)
		}
	}
	for _, row := range r.steering.Rows(s.Service) {
		key := elementKey{wire.PEID(row.PE), row.Addr}
		if e := s.elements[key]; e != nil {
			e.given.count(flows[row.Index], reports[key], now)
		}
	}
	s.weigh(pool)
	return nil
}

// reweigh follows what elements were given since the last sweep.
func (r *reconciler) reweigh(now time.Time) {
	var changed []*service
	for _, s := range r.services {
		c, ok := r.pools[s.pool]
		if !ok || !s.degrades() || s.recovering() {
			continue
		}
		if err := r.countGiven(s, c.pool, now); err != nil {
			r.log.Error("count the flows of elements", "service", s.Service, "error", err)
			continue
		}
		changed = append(changed, s)
	}
	if len(changed) > 0 {
		r.apply(changed...) // writes what differs
	}
}
