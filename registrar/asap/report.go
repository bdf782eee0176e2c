// SPDX-License-Identifier: Apache-2.0

package asap

import (
	"slices"
	"time"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// maxHaste is how often at most an element is probed because somebody who has proven nothing reports it for the first time.
const maxHaste = time.Second

// report is that somebody found an element unreachable.
type report struct {
	by string
	at instant
}

// unreachable is RFC 5352 3.5. The element is probed at once; if it does not answer, it is removed. Beyond that:
//   - each identity that reports counts once, those that prove nothing once for each network, and a report counts for a
//     while only;
//   - more than MAX-BAD-PE-REPORT of them remove an element that cannot be asked: one that is Away, or another registrar's.
//     One that is ours and answers stays, whatever is said of it: the RFC's SHOULD would let as many liars evict anybody;
//   - of another registrar's, a secured registrar, which cannot ask it, hears only those that have proven who they are: its
//     clients are reset when it goes, and addresses of pool users cost nothing. Its home asks it;
//   - what is reported again by the same is not passed on more often than keep-alives come anyway (threats draft 2.13,
//     2.14).
func (c *Core) unreachable(s *step, from handlespace.Identity, m *wire.EndpointUnreachable) {
	w := c.watches[handlespace.Key{Pool: m.Pool, PE: m.PE}]
	if w == nil {
		c.ignore(m)
		return
	}
	c.counters.UnreachableReports++
	if w.bond == foreign && c.mayRegister(from) != nil {
		return
	}
	first := w.reported(s.now, reporter(from), c.cfg)
	switch {
	case len(w.reports) > c.cfg.MaxBadReports && (w.bond == detached || w.bond == foreign):
		c.remove(s, w.key, handlespace.Unreachable)
	case w.answer == 0 && (w.probed == 0 || w.probed.after(c.patience(from, first)) <= s.now):
		c.inquire(s, w)
	}
}

// patience is how long after a probe a report leads to the next.
func (c *Core) patience(from handlespace.Identity, first bool) time.Duration {
	usual := c.cfg.KeepAlive.Interval / 2
	switch {
	case !first:
		return usual
	case from.Kind() == handlespace.Proven:
		return 0
	}
	return min(usual, maxHaste)
}

// inquire asks an element that was reported, in the way there is. One that is Away cannot be asked.
func (c *Core) inquire(s *step, w *watch) {
	switch w.bond {
	case attached:
		c.sendKeepAlive(s, w, c.space.Owner(w.key))
	case foreign:
		c.reach(s, w)
	case adopted:
		if w.reach != 0 { // it would be soon: now is better
			c.reach(s, w)
		}
	}
}

// reported notes a reporter, and forgets those of long ago. Returns false if it was there already. One more than
// MAX-BAD-PE-REPORT are remembered, the last.
func (w *watch) reported(now instant, by string, cfg Config) (first bool) {
	w.reports = slices.DeleteFunc(w.reports, func(r report) bool { return r.at.after(cfg.ReportWindow) <= now })
	if i := slices.IndexFunc(w.reports, func(r report) bool { return r.by == by }); i >= 0 {
		w.reports[i].at = now
		return false
	}
	if len(w.reports) > cfg.MaxBadReports {
		w.reports = slices.Delete(w.reports, 0, 1)
	}
	w.reports = append(w.reports, report{by, now})
	return true
}

// reporter is who counts as one: an identity, or the network of a peer that has proven none. Whoever has an IPv6 address
// has 2^64 of them.
func reporter(from handlespace.Identity) string {
	addrs := from.Addrs()
	if from.Kind() == handlespace.Proven || len(addrs) == 0 {
		return from.Name()
	}
	first := addrs[0].Addr().Unmap()
	for _, a := range addrs[1:] {
		if u := a.Addr().Unmap(); u.Less(first) {
			first = u
		}
	}
	bits := 32
	if first.Is6() {
		bits = 64
	}
	p, _ := first.Prefix(bits) // fails for an invalid address only
	return from.Kind().String() + ":" + p.String()
}
