// SPDX-License-Identifier: Apache-2.0

package pu

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/weir-lb/weir/agent/hunt"
	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/wire"
)

// Config is what a User works with. Registrars, or Hints, and Dial must be set.
type Config struct {
	// Registrars are preferred in this order.
	Registrars []hunt.Registrar
	// Hints are registrars that announced themselves; nil: none.
	Hints *hunt.Announcements
	// Dial is how to speak with a registrar, and what proves it: hunt.Dialer.
	Dial func(context.Context, hunt.Target) (*transport.Session, error)
	// Protocol is TCP or SCTP; zero is TCP.
	Protocol wire.Protocol

	// Stale is the stale_cache_value of RFC 5352 7.2: how long an answer is good
	// for. Zero is 5 s. It is also how often a watched pool is asked for when the
	// registrar sends no updates.
	Stale time.Duration
	// RequestTimeout is T1-ENRPrequest (RFC 5352 7.1); zero is its 15 s.
	RequestTimeout time.Duration
	// ConnectTimeout bounds one attempt to connect to an element; zero is 5 s.
	ConnectTimeout time.Duration

	// Connect connects to an element in place of net.Dial, which is for pools of
	// TCP and UDP: to begin TLS, or to speak SCTP. Its error counts as
	// the element's failure.
	Connect func(context.Context, wire.PoolElement) (net.Conn, error)
	// OnFailover hears of each failover before the new element is first used. An
	// error refuses that element, and the next one is offered. It may be nil.
	OnFailover func(context.Context, Failover) error
	// Card is given to the elements on control channels, if this user is an
	// element of a pool too (RFC 5352 3.9); nil: it is none.
	Card *wire.BusinessCard

	Log *slog.Logger // nil: none
}

// Failover is the change from one element to another (the threats to RSerPool,
// 2.9: whatever trust there was in the old one has to be established anew).
type Failover struct {
	Pool     wire.PoolHandle
	Old, New wire.PoolElement
	Reason   error // why the old one is left
}

func (c *Config) validate() error {
	if c.Stale < 0 || c.RequestTimeout < 0 || c.ConnectTimeout < 0 {
		return errors.New("pool user: a time is negative")
	}
	return nil
}

func (c *Config) setDefaults() {
	c.Stale = cmp.Or(c.Stale, 5*time.Second)
	c.RequestTimeout = cmp.Or(c.RequestTimeout, t1ENRPrequest)
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, 5*time.Second)
	if c.Connect == nil {
		c.Connect = connectByNet
	}
	if c.OnFailover == nil {
		c.OnFailover = func(context.Context, Failover) error { return nil }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}
