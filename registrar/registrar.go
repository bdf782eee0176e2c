// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/handlespace"
)

// Registrar listens for pool elements and serves them.
type Registrar struct {
	cfg      Config
	listener listener
	core     *asap.Core
	reload   chan []Grant // holds the newest grants that the loop has not taken yet
	closed   sync.Once
	closeErr error
	tally    *tally
}

// conn is an authenticated session: *transport.Session.
type conn interface {
	handlespace.Session
	Read(ctx context.Context) ([]byte, error)
	Write(ctx context.Context, message []byte) error
	Close() error
}

// listener yields authenticated sessions: *transport.Listener.
type listener interface {
	Accept(ctx context.Context) (conn, error)
	Addr() netip.AddrPort
	Close() error
}

// New opens the listening socket; Run serves it, and Close is for a Registrar that never ran. Errors: every fault of the
// configuration, or that the address cannot be listened at.
func New(cfg Config) (*Registrar, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("registrar: %w", err)
	}
	t := newTally()
	l, err := listen(cfg, t)
	if err != nil {
		return nil, fmt.Errorf("registrar: listen at %v: %w", cfg.Listen, err)
	}
	return assemble(cfg, l, t), nil
}

func assemble(cfg Config, l listener, t *tally) *Registrar {
	cfg.MaxSessions = cmp.Or(cfg.MaxSessions, 4096)
	core := asap.New(asap.Config{
		Server: cfg.ServerID, Grants: cfg.Grants, Grace: cfg.Grace, KeepAlive: cfg.KeepAlive,
		Rand: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
	})
	return &Registrar{cfg: cfg, listener: l, core: core, reload: make(chan []Grant, 1), tally: t}
}

// Addr is where it listens.
func (r *Registrar) Addr() netip.AddrPort { return r.listener.Addr() }

// Stats are the counts as of now. It may be called from any goroutine, at any time.
func (r *Registrar) Stats() Stats { return r.tally.stats() }

// Reload takes new grants, and notices which identities the keys, which the caller has reloaded before, no longer have:
// their sessions are closed. Elements that are no longer granted leave as Revoked. A key that is replaced by another ends
// no session: take the identity out, reload, and put it in again when handshakes that began before are over
// (HandshakeTimeout). Reload does not wait; of several in a row the last counts.
func (r *Registrar) Reload(grants []Grant) {
	grants = slices.Clone(grants)
	for {
		select {
		case r.reload <- grants:
			return
		default:
		}
		select {
		case <-r.reload:
		default:
		}
	}
}

// Run serves until ctx ends, and then returns nil, or until the listener fails, and then returns why. All sessions are
// closed, and all goroutines have ended, when it returns; nobody has been deregistered. It may be called once.
func (r *Registrar) Run(ctx context.Context) error {
	serving, stop := context.WithCancel(ctx)
	defer stop()
	l := newLoop(r, serving)
	var failure error
	l.tasks.Go(func() {
		failure = l.accept(serving)
		stop()
	})
	l.run(serving)
	stop()
	l.tasks.Wait()
	l.revokeAll()
	closeErr := r.Close()
	if ctx.Err() != nil {
		return nil
	}
	return cmp.Or(failure, closeErr)
}

// Close closes the listening socket. Run does so by itself.
func (r *Registrar) Close() error {
	r.closed.Do(func() { r.closeErr = r.listener.Close() })
	return r.closeErr
}
