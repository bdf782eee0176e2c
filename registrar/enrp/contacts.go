// SPDX-License-Identifier: Apache-2.0

package enrp

import (
	"net/netip"
	"slices"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

const (
	// maxFailures is how often in a row nobody may be where a peer or multicast said that a registrar is.
	maxFailures = 3
	// maxAddrs bounds the addresses that are kept of a peer.
	maxAddrs = 16
)

// contact is a place where a registrar should be.
type contact struct {
	fixed      bool // by configuration: it is never given up
	self       bool // we are there ourselves
	configured wire.ServerID
	server     wire.ServerID // who is there; 0 if not known
	transport  wire.Transport
	dial       uint64    // the number of the attempt under way, 0 if there is none
	next       time.Time // no attempt before that
	failures   int       // in a row
	again      bool      // the last attempt failed
	connected  bool      // a session that came of it lives
}

// lost is the end of a session that came of the contact.
func (ct *contact) lost() { ct.connected, ct.server = false, ct.configured }

// wanted says whether the contact should be dialled, when its time comes: nobody is connected there.
func (c *Core) wanted(ct *contact) bool {
	if ct.self || ct.dial != 0 || ct.connected {
		return false
	}
	if ct.server != 0 {
		p := c.peer(ct.server)
		return p == nil || len(p.sessions) == 0
	}
	return !slices.ContainsFunc(c.peers, func(p *peer) bool {
		return len(p.sessions) > 0 && p.info != nil && samePlace(p.info.Transport, ct.transport)
	})
}

// dialAll dials who should be connected and is not.
func (c *Core) dialAll(s *step) {
	for _, ct := range c.contacts {
		if ct.next.After(s.now) || !c.wanted(ct) {
			continue
		}
		c.dials++
		ct.dial, ct.next = c.dials, s.now.Add(c.redial())
		s.do(Dial{ID: ct.dial, Server: ct.server, Transport: ct.transport, Again: ct.again})
	}
}

// redial is how long to wait between attempts, spread so that two registrars do not go on meeting each other half-way.
func (c *Core) redial() time.Duration {
	return time.Duration((0.5 + c.cfg.Rand.Float64()) * float64(c.cfg.Timers.Redial))
}

// DialFailed takes in that a Dial led to no session.
func (c *Core) DialFailed(now time.Time, dial uint64) []Action {
	c.dialled(now, dial, nil)
	return nil
}

// dialled ends an attempt; ses is nil if it failed. A contact that nobody configured and that leads nowhere is given up.
func (c *Core) dialled(now time.Time, dial uint64, ses *session) {
	i := slices.IndexFunc(c.contacts, func(ct *contact) bool { return dial != 0 && ct.dial == dial })
	if i < 0 {
		return
	}
	ct := c.contacts[i]
	ct.dial = 0
	if ses != nil {
		ct.connected, ct.failures, ct.again, ses.contact = true, 0, false, ct
		return
	}
	ct.failures++
	ct.again = true
	if earliest := now.Add(c.cfg.Timers.Redial / 2); ct.next.Before(earliest) {
		ct.next = earliest
	}
	if !ct.fixed && ct.failures >= maxFailures {
		c.contacts = slices.Delete(c.contacts, i, i+1)
	}
}

// locate takes in where a registrar is said to be; server is 0 if it is not said which. A secured registrar goes only where
// its configuration says.
func (c *Core) locate(server wire.ServerID, t wire.Transport) {
	if c.cfg.Secured || server == c.cfg.Self.ID || samePlace(t, c.cfg.Self.Transport) {
		return
	}
	for _, ct := range c.contacts {
		switch {
		case samePlace(ct.transport, t):
			if ct.server == 0 || !ct.fixed && !ct.connected {
				ct.server = server
			}
			return
		case !ct.fixed && server != 0 && ct.server == server:
			ct.transport = bounded(t) // it has moved
			return
		}
	}
	if len(c.contacts) < c.cfg.MaxPeers+len(c.cfg.Known) {
		c.contacts = append(c.contacts, &contact{configured: server, server: server, transport: bounded(t)})
	}
}

// unlocate forgets where a peer was that is no longer one, unless we were told to look there. An attempt that is under way
// is its last: without it, there could be any number of them.
func (c *Core) unlocate(p *peer) {
	c.contacts = slices.DeleteFunc(c.contacts, func(ct *contact) bool {
		return !ct.fixed && ct.server == p.id && ct.dial == 0
	})
	for _, ct := range c.contacts {
		if ct.server == p.id {
			ct.server, ct.failures = ct.configured, maxFailures
		}
	}
}

// Hint takes in a presence that came by multicast, from source. Anybody can send one (RFC 5353 6.2: "a receiver of such an
// announcement cannot consider the source address … to be a trustworthy address"), and so it only says where a registrar
// may be; that one is alive has to be heard in a session with it.
func (c *Core) Hint(now time.Time, source netip.AddrPort, m *wire.Presence) []Action {
	s := c.begin(now)
	p := c.peer(m.Sender)
	if m.Sender == 0 || p != nil && len(p.sessions) > 0 {
		return nil
	}
	t := wire.Transport{Protocol: c.cfg.Self.Transport.Protocol, Port: source.Port(), Addrs: []netip.Addr{source.Addr().Unmap()}}
	if m.Info != nil && m.Info.ID == m.Sender {
		t = m.Info.Transport
	}
	c.locate(m.Sender, t)
	c.dialAll(&s)
	return s.actions
}

// samePlace says whether two transports lead to the same registrar.
func samePlace(a, b wire.Transport) bool {
	return a.Protocol == b.Protocol && a.Port == b.Port &&
		slices.ContainsFunc(a.Addrs, func(x netip.Addr) bool {
			return slices.ContainsFunc(b.Addrs, func(y netip.Addr) bool { return x.Unmap() == y.Unmap() })
		})
}

func bounded(t wire.Transport) wire.Transport {
	t.Addrs = slices.Clone(t.Addrs[:min(len(t.Addrs), maxAddrs)])
	return t
}
