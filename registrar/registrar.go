// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/enrp"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/wire"
)

// Registrar listens for pool elements, pool users and other registrars, and serves them.
type Registrar struct {
	cfg       Config
	listeners []listening
	groups    groups
	dial      dialFunc
	asap      *asap.Core
	enrp      *enrp.Core
	reload    chan []Grant // holds the newest grants that the loop has not taken yet
	requests  chan func(*loop)
	closed    sync.Once
	closeErr  error
	tally     *tally
}

// conn is a session: *transport.Session.
type conn interface {
	handlespace.Session
	Kind() transport.Kind
	Protocol() wire.Protocol
	LocalAddrs() []netip.AddrPort
	Read(ctx context.Context) ([]byte, error)
	Write(ctx context.Context, message []byte) error
	Close() error
}

// listener yields sessions: *transport.Listener.
type listener interface {
	Accept(ctx context.Context) (conn, error)
	Addr() netip.AddrPort
	Close() error
}

// New opens the sockets; Run serves them, and Close is for a Registrar that never ran. Errors: every fault of the
// configuration, a *ListenError, or that a multicast group cannot be joined.
func New(cfg Config) (*Registrar, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("registrar: %w", err)
	}
	cfg.ASAP, cfg.ENRP = slices.Clone(cfg.ASAP), slices.Clone(cfg.ENRP)
	t := newTally()
	all, err := listenAll(&cfg, t)
	if err != nil {
		return nil, fmt.Errorf("registrar: %w", err)
	}
	groups, err := joinGroups(&cfg)
	if err != nil {
		return nil, fmt.Errorf("registrar: %w", errors.Join(err, closeAll(all)))
	}
	return assemble(cfg, all, groups, dialTransport, t), nil
}

func assemble(cfg Config, all []listening, g groups, dial dialFunc, t *tally) *Registrar {
	cfg = cfg.withDefaults()
	r := &Registrar{
		cfg: cfg, listeners: all, groups: g, dial: dial, tally: t,
		reload: make(chan []Grant, 1), requests: make(chan func(*loop)),
	}
	elements := asap.Config{
		Server: cfg.ServerID, Grants: cfg.Grants, Unsecured: cfg.Unsecured, Grace: cfg.Grace, KeepAlive: cfg.KeepAlive,
		MaxBadReports: cfg.Timers.MaxBadPEReport, Rand: newRand(),
	}
	elements.Adoption.Grace, elements.Adoption.Notice = cfg.Timers.AdoptionGrace, cfg.Timers.enrp().Notice()
	elements.MaxElements, elements.MaxElementsPerIdentity = cfg.MaxElements, cfg.MaxElementsPerIdentity
	if cfg.Unsecured && cfg.MaxElementsPerIdentity == 0 {
		elements.MaxElementsPerIdentity = maxPlainElements
	}
	r.asap = asap.New(elements)
	r.enrp = enrp.New(enrp.Config{
		Self: cfg.self(), Space: r.asap.Space(), Known: cfg.known(), Secured: !cfg.Unsecured, Multicast: g.enrp != nil,
		LowerWins: cfg.LowerWins, Timers: cfg.Timers.enrp(), Rand: newRand(),
	})
	return r
}

// maxPlainElements bounds the elements of one address at an unsecured registrar, which all are one identity.
const maxPlainElements = 4096

func newRand() *rand.Rand { return rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) }

// Addr is where it speaks ASAP, first of all.
func (r *Registrar) Addr() netip.AddrPort { return r.cfg.ASAP[0].Addr }

// ASAP and ENRP are where it listens.
func (r *Registrar) ASAP() []netip.AddrPort { return addrs(r.cfg.ASAP) }

// ENRP are the addresses for other registrars.
func (r *Registrar) ENRP() []netip.AddrPort { return addrs(r.cfg.ENRP) }

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

// Run serves until ctx ends, and then returns nil, or until a listener fails, and then returns why. All sessions are
// closed, and all goroutines have ended, when it returns; nobody has been deregistered. It may be called once.
func (r *Registrar) Run(ctx context.Context) error {
	serving, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	l := newLoop(r, serving)
	for _, at := range r.listeners {
		l.tasks.Go(func() { stop(l.accept(serving, at)) })
	}
	r.groups.listen(serving, l)
	l.run(serving)
	stop(nil)
	closeErr := r.Close() // ends those who listen to a group
	l.tasks.Wait()
	l.revokeAll()
	if ctx.Err() != nil {
		return nil
	}
	if cause := context.Cause(serving); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return closeErr
}

// Close closes the sockets. Run does so by itself.
func (r *Registrar) Close() error {
	r.closed.Do(func() { r.closeErr = errors.Join(closeAll(r.listeners), r.groups.Close()) })
	return r.closeErr
}
