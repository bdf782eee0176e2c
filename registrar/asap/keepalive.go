// SPDX-License-Identifier: Apache-2.0

package asap

import (
	"time"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// nextProbe is one interval from now, spread by plus or minus 50 % so that probes do not come in bursts (RFC 5352 3.5).
func (c *Core) nextProbe(now time.Time) time.Time {
	if c.cfg.KeepAlive.Interval <= 0 {
		return time.Time{}
	}
	spread := 0.5 + c.cfg.Rand.Float64()
	return now.Add(time.Duration(spread * float64(c.cfg.KeepAlive.Interval)))
}

// sendKeepAlive probes an element that is up. The H flag is 0: we are its home already, and RFC 5352 3.5 wants it so. The
// PE identifier is rsplib's addition; without it, two elements of one session in one pool could not be told apart.
func (c *Core) sendKeepAlive(s *step, w *watch) {
	c.counters.KeepAlives++
	w.probe, w.probed, w.answer = time.Time{}, s.now, s.now.Add(c.cfg.KeepAlive.Timeout)
	c.due.fix(w)
	id := w.key.PE
	s.send(c.space.Owner(w.key), &wire.EndpointKeepAlive{Server: c.cfg.Server, Pool: w.key.Pool, PE: &id})
}

// acknowledge takes the answer to a keep-alive, from the very session that was asked.
func (c *Core) acknowledge(s *step, from handlespace.Identity, m *wire.EndpointKeepAliveAck) {
	k := handlespace.Key{Pool: m.Pool, PE: m.PE}
	w := c.watches[k]
	if w == nil || w.answer.IsZero() || c.space.Owner(k) != from {
		c.ignore(m)
		return
	}
	c.counters.KeepAliveAcks++
	w.answer, w.probe = time.Time{}, c.nextProbe(s.now)
	c.due.fix(w)
}

// lose removes an element that did not answer in time (RFC 5352 3.5: "MUST remove the PE from its handlespace"), and gives
// up its session: whoever else is behind it is away.
func (c *Core) lose(s *step, w *watch) {
	owner := c.space.Owner(w.key)
	c.remove(s, w.key, handlespace.Lost)
	c.away(s, owner)
	s.close(owner)
}

// unreachable is RFC 5352 3.5. Each identity that reports counts once until the element registers again, so that a single
// one cannot evict anybody. The element is probed at once; only a repeated report from the same identity is not passed on
// more often than keep-alives come anyway (threats draft 2.13, 2.14).
func (c *Core) unreachable(s *step, from handlespace.Identity, m *wire.EndpointUnreachable) {
	k := handlespace.Key{Pool: m.Pool, PE: m.PE}
	w := c.watches[k]
	if w == nil {
		c.ignore(m)
		return
	}
	c.counters.UnreachableReports++
	first := w.reported(from.Name())
	if len(w.reporters) >= c.cfg.MaxBadReports {
		c.dismiss(s, k, handlespace.Unreachable)
		return
	}
	asked := !w.answer.IsZero()
	recently := s.now.Sub(w.probed) < c.cfg.KeepAlive.Interval/2
	if !w.away() && !asked && (first || !recently) {
		c.sendKeepAlive(s, w)
	}
}
