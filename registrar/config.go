// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/transport/psk"
	"github.com/weir-lb/weir/registrar/wire"
)

// Grant is what an identity may do.
type Grant = asap.Grant

// KeepAlive is how elements are probed.
type KeepAlive = asap.KeepAlive

// Gate lets the packets of authenticated peers through. It is called from the event loop, and a fault of it is logged and
// counted, but ends no session: its packets then are a stranger's.
type Gate interface {
	// Admit lets the peers through until then; it is called again before that while the session lives.
	Admit(peers []netip.AddrPort, until time.Time) error
	// Revoke makes the peers of a session that has ended strangers.
	Revoke(peers []netip.AddrPort) error
}

// Observer learns of every change of a pool: its new snapshot, and the elements that left it with that. A pool that is
// gone has a snapshot without elements. It is called from the event loop, and must not block.
type Observer interface {
	PoolChanged(p *handlespace.Pool, departed []handlespace.Departure)
}

// Config is what a Registrar works with. Everything must be set but what says otherwise.
type Config struct {
	Listen           netip.AddrPort // port 0 takes any
	ServerID         wire.ServerID  // not 0
	Keys             *psk.Keys
	Grants           []Grant       // may be empty: then nobody can enrol
	Grace            time.Duration // how long an element whose association ended may be away; 0 or more
	KeepAlive        KeepAlive
	HandshakeTimeout time.Duration // 0: transport's default
	// MaxUnauthenticated bounds the handshakes under way; 0: transport's default.
	MaxUnauthenticated int
	// MaxSessions bounds the authenticated sessions; 0: 4096. Beyond it, new ones are closed.
	MaxSessions int
	Gate        Gate
	Observer    Observer
	Log         *slog.Logger
}

func (c Config) validate() error {
	var faults []error
	need := func(ok bool, fault string) {
		if !ok {
			faults = append(faults, errors.New(fault))
		}
	}
	need(c.Listen.IsValid(), "no address to listen at")
	need(c.ServerID != 0, "the server identifier must not be 0 (undetermined)")
	need(c.Keys != nil, "no keys")
	need(c.Grace >= 0, "the grace must not be negative")
	need(c.KeepAlive.Interval > 0, "the keep-alive interval must be positive")
	need(c.KeepAlive.Timeout > 0, "the keep-alive timeout must be positive")
	need(c.MaxSessions >= 0, "the number of sessions must not be negative")
	need(c.Gate != nil && c.Observer != nil && c.Log != nil, "gate, observer and log must be set")
	return errors.Join(faults...)
}
