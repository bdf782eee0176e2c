// SPDX-License-Identifier: Apache-2.0

package pu

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/weir-lb/weir/agent/control"
	"github.com/weir-lb/weir/registrar/wire"
)

// Conn is a connection to an element of a pool.
type Conn struct {
	net.Conn
	Pool    wire.PoolHandle
	Element wire.PoolElement

	user    *User
	control *control.User
}

// Control is the user's side of the control channel. It stays the same through
// failovers: open a channel to each new element, and that gets the latest
// cookie.
func (c *Conn) Control() *control.User { return c.control }

// attempt is the way from one element of a pool to the next.
type attempt struct {
	user    *User
	control *control.User
	pool    wire.PoolHandle
	entry   *entry
	old     *wire.PoolElement // nil: the first
	reason  error             // why old is left
	tried   map[wire.PEID]bool
	faults  []error
}

// Dial connects to an element of the pool, chosen by its policy. Elements that
// cannot be reached are reported, and the next one is tried: a failover, which
// Config.OnFailover hears of before.
func (u *User) Dial(ctx context.Context, pool wire.PoolHandle) (*Conn, error) {
	return u.connect(ctx, &attempt{
		user: u, control: &control.User{Card: u.cfg.Card, OnCard: u.populate}, pool: pool, tried: map[wire.PEID]bool{},
	})
}

// Failover closes the connection, whose element has failed for this reason,
// reports that element, and connects to another one: first to those that its
// business card recommends, as far as the pool has them (RFC 5352 3.9, BC2).
func (c *Conn) Failover(ctx context.Context, reason error) (*Conn, error) {
	_ = c.Close() // it has failed
	if err := c.user.ReportUnreachable(ctx, c.Pool, c.Element.ID); err != nil {
		c.user.cfg.Log.Debug("not reported", "pool", string(c.Pool), "pe", c.Element.ID.String(), "err", err)
	}
	return c.user.connect(ctx, &attempt{
		user: c.user, control: c.control, pool: c.Pool, old: &c.Element, reason: reason,
		tried: map[wire.PEID]bool{c.Element.ID: true},
	})
}

// populate resolves the pool of a business card that is not in the cache yet
// (RFC 5352 3.9, BC1), without waiting for the answer.
func (u *User) populate(card wire.BusinessCard) {
	if u.cache.prepare(card.Pool, time.Now()) {
		_ = u.call(context.Background(), func(m *machine, now time.Time) []action { return m.ask(now, card.Pool) })
	}
}

func (u *User) connect(ctx context.Context, a *attempt) (*Conn, error) {
	var err error
	if a.entry, err = u.enter(a.pool); err != nil {
		return nil, err
	}
	defer u.cache.leave(a.pool, a.entry)
	if _, err := u.resolve(ctx, a.pool, a.entry); err != nil {
		return nil, err
	}
	for {
		next, ok := u.cache.choose(a.entry, a.tried, a.control.Preferred(a.pool), time.Now())
		if !ok {
			return nil, &exhausted{a.pool, a.faults}
		}
		conn, err := a.try(ctx, next)
		if err == nil || ctx.Err() != nil {
			return conn, err
		}
		a.faults = append(a.faults, fmt.Errorf("element %v: %w", next.ID, err))
	}
}

// try uses one element, if the program does not refuse the failover to it.
func (a *attempt) try(ctx context.Context, next wire.PoolElement) (*Conn, error) {
	a.tried[next.ID] = true
	if a.old != nil {
		if err := a.user.cfg.OnFailover(ctx, Failover{a.pool, *a.old, next, a.reason}); err != nil {
			return nil, fmt.Errorf("refused: %w", err)
		}
	}
	limited, cancel := context.WithTimeout(ctx, a.user.cfg.ConnectTimeout)
	defer cancel()
	conn, err := a.user.cfg.Connect(limited, next)
	if err == nil {
		return &Conn{Conn: conn, Pool: a.pool, Element: next, user: a.user, control: a.control}, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err() // the program's impatience is no fault of the element
	}
	a.old, a.reason = &next, err
	if err := a.user.ReportUnreachable(ctx, a.pool, next.ID); err != nil {
		a.user.cfg.Log.Debug("not reported", "pool", string(a.pool), "pe", next.ID.String(), "err", err)
	}
	return nil, err
}

func connectByNet(ctx context.Context, e wire.PoolElement) (net.Conn, error) {
	network := ""
	switch e.User.Protocol {
	case wire.ProtocolTCP:
		network = "tcp"
	case wire.ProtocolUDP:
		network = "udp"
	default:
		return nil, fmt.Errorf("it serves %v: set Connect to reach it", e.User.Protocol)
	}
	at := netip.AddrPortFrom(e.User.Addrs[0].Unmap(), e.User.Port)
	return new(net.Dialer).DialContext(ctx, network, at.String())
}

// exhausted is a pool of which no element is left to try. It is ErrNoElement.
type exhausted struct {
	pool   wire.PoolHandle
	faults []error // of those that were tried
}

// Error is one sentence.
func (e *exhausted) Error() string {
	if len(e.faults) == 0 {
		return fmt.Sprintf("pool %q has no other element", string(e.pool))
	}
	words := make([]string, len(e.faults))
	for i, err := range e.faults {
		words[i] = err.Error()
	}
	return fmt.Sprintf("no element of pool %q is left: %s", string(e.pool), strings.Join(words, "; "))
}

func (e *exhausted) Unwrap() []error { return append([]error{ErrNoElement}, e.faults...) }
