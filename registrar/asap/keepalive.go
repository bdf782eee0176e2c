// SPDX-License-Identifier: Apache-2.0

package asap

import (
	"time"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// nextProbe is one interval from now, spread by plus or minus 50 % so that probes do not come in bursts (RFC 5352 3.5).
func (c *Core) nextProbe(now instant) instant {
	if c.cfg.KeepAlive.Interval <= 0 {
		return 0
	}
	spread := 0.5 + c.cfg.Rand.Float64()
	return now.after(time.Duration(spread * float64(c.cfg.KeepAlive.Interval)))
}

// sendKeepAlive probes an element that is up, in a session in which it is or may be. The H flag makes us the home of one
// that we took over; of any other we are it already, or must not become it (RFC 5352 3.5). The PE identifier is rsplib's
// addition; without it, two elements of one session in one pool could not be told apart.
func (c *Core) sendKeepAlive(s *step, w *watch, to handlespace.Identity) {
	c.counters.KeepAlives++
	w.probe, w.probed, w.answer, w.asked = 0, s.now, s.now.after(c.cfg.KeepAlive.Timeout), to
	c.due.moved(w)
	id := w.key.PE
	s.send(to, &wire.EndpointKeepAlive{Home: w.bond == adopted, Server: c.cfg.Server, Pool: w.key.Pool, PE: &id})
}

// acknowledge takes the answer to a keep-alive, from the very session that was asked.
func (c *Core) acknowledge(s *step, from handlespace.Identity, m *wire.EndpointKeepAliveAck) {
	k := handlespace.Key{Pool: m.Pool, PE: m.PE}
	w := c.watches[k]
	if w == nil || w.answer == 0 || w.asked != from {
		c.ignore(m)
		return
	}
	c.counters.KeepAliveAcks++
	w.answer, w.asked = 0, handlespace.Identity{}
	if w.bond == attached {
		w.unsure = false
		w.probe = c.nextProbe(s.now)
	} else {
		c.answered(s, w, from)
	}
	c.due.moved(w)
}

// lose removes an element that did not answer in time (RFC 5352 3.5: "MUST remove the PE from its handlespace"), and gives
// up its session: whoever else is behind it is away. An element that was yielded may have left it alone.
func (c *Core) lose(s *step, w *watch) {
	asked := w.asked
	ours := w.bond == attached && !w.unsure
	c.remove(s, w.key, handlespace.Lost)
	if ours {
		c.gone(s, asked)
		s.close(asked)
	}
}
