// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/weir-lb/weir/agent/config"
	"github.com/weir-lb/weir/agent/operate"
	"github.com/weir-lb/weir/loader"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/registrar"
	"github.com/weir-lb/weir/registrar/wire"
)

// gateway is a running edge: the data plane, the registrar, and what joins and shows them.
type gateway struct {
	cfg         Config
	log         *slog.Logger
	started     time.Time
	credentials *config.Credentials
	datapath    *loader.Datapath
	guard       *maps.Guard
	teller      *teller
	inbox       *inbox
	reconcile   *reconciler
	registrar   *registrar.Registrar
	control     *operate.Server
	metrics     *operate.Server
}

// Run is the gateway, until ctx ends or a part of it fails. It leaves the data plane forwarding.
// Configurations from reload take effect at once, except for what only a restart changes.
func Run(ctx context.Context, cfg Config, log *slog.Logger, reload <-chan Config) error {
	g := &gateway{cfg: cfg, log: log, started: time.Now(), inbox: newInbox()}
	err := g.open()
	if err == nil {
		err = g.serve(ctx, reload)
	}
	return errors.Join(err, g.close())
}

// open brings everything up in an order that a failure can undo: the sockets before the kernel is
// touched, so that a second gateway stops in front of the first one's maps; the maps before the
// program is attached.
func (g *gateway) open() error {
	if err := g.openSockets(); err != nil {
		return operate.NeedsRoot(operate.Edge, err)
	}
	if err := g.openDatapath(); err != nil {
		return err
	}
	return g.datapath.Attach()
}

func (g *gateway) openSockets() (err error) {
	if g.credentials, err = g.cfg.Registrar.Load(); err != nil {
		return err
	}
	if g.control, err = operate.ListenControl(g.cfg.Control, func(ctx context.Context) (any, error) { return g.status(ctx) }); err != nil {
		return err
	}
	if g.metrics, err = operate.ListenMetrics(g.cfg.Metrics, newCollector(g.status, operate.Version())); err != nil {
		return operate.ExplainListen("metrics", g.cfg.Metrics, err)
	}
	if g.teller, err = newTeller(); err != nil {
		return err
	}
	if g.registrar, err = g.newRegistrar(); err != nil {
		return operate.ExplainRegistrar(err)
	}
	return nil
}

func (g *gateway) openDatapath() (err error) {
	g.datapath, err = loader.Load(loader.Config{
		Dir: g.cfg.BPF, Interfaces: g.cfg.Interfaces, Flows: uint32(g.cfg.Flows.Max), Log: g.log,
	})
	if err != nil {
		return err
	}
	if err = maps.WriteParameters(g.datapath.Maps, g.cfg.limits()); err != nil {
		return err
	}
	if g.guard, err = maps.OpenGuard(g.datapath.Maps, g.listening(wire.ProtocolTCP), g.listening(wire.ProtocolSCTP)); err != nil {
		return err
	}
	g.reconcile = newReconciler(g.datapath.Maps, g.inbox, g.teller, g.log)
	return g.reconcile.configure(g.cfg, time.Now())
}

func (g *gateway) newRegistrar() (*registrar.Registrar, error) {
	if g.cfg.Registrar.ServerID == 0 {
		g.cfg.Registrar.ServerID = randomServerID()
	}
	cfg := g.cfg.Registrar.Build(g.cfg.Registrar.ServerID, g.credentials)
	cfg.Gate, cfg.Observer, cfg.Log = g, g.inbox, g.log
	return registrar.New(cfg)
}

// listening is where the registrar speaks a protocol.
func (g *gateway) listening(protocol wire.Protocol) (all []netip.AddrPort) {
	r := g.cfg.Registrar.Build(g.cfg.Registrar.ServerID, g.credentials)
	for _, l := range slices.Concat(r.ASAP, r.ENRP, r.RejectASAP, r.RejectENRP) {
		if l.Protocol == protocol {
			all = append(all, l.Addr)
		}
	}
	return all
}

// Admit implements registrar.Gate. The registrar exists before the guard does, and serves after.
func (g *gateway) Admit(local netip.AddrPort, peers []netip.AddrPort, until time.Time) error {
	return g.guard.Admit(local, peers, until)
}

// Revoke implements registrar.Gate.
func (g *gateway) Revoke(local netip.AddrPort, peers []netip.AddrPort) error {
	return g.guard.Revoke(local, peers)
}

// randomServerID draws an identifier that is not 0 (RFC 5353 2.1 leaves the choice to us).
func randomServerID() wire.ServerID {
	for {
		var b [4]byte
		rand.Read(b[:]) // never fails (crypto/rand, Go 1.24)
		if id := wire.ServerID(binary.BigEndian.Uint32(b[:])); id != 0 {
			return id
		}
	}
}

// serve runs the parts; the first that fails ends the others.
func (g *gateway) serve(ctx context.Context, reload <-chan Config) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var parts sync.WaitGroup
	start := func(name string, run func(context.Context) error) {
		parts.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	start("registrar", g.registrar.Run)
	start("control socket", g.control.Run)
	start("metrics", g.metrics.Run)
	parts.Go(func() { g.reconcile.run(ctx) })
	parts.Go(func() { g.follow(ctx, reload) })
	operate.WarnUnsecured(g.log, g.cfg.Registrar.Unsecured)
	g.log.Info("ready", "registrar", g.registrar.Addr(), "server", g.cfg.Registrar.ServerID, "services", len(g.cfg.Services))
	<-ctx.Done()
	parts.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

func (g *gateway) close() error {
	var errs []error
	if g.registrar != nil {
		errs = append(errs, g.registrar.Close())
	}
	if g.datapath != nil {
		errs = append(errs, g.datapath.Close())
	}
	if g.teller != nil {
		errs = append(errs, g.teller.Close())
	}
	errs = append(errs, g.metrics.Close(), g.control.Close())
	return errors.Join(errs...)
}

func (c Config) limits() maps.Limits {
	return maps.Limits{
		NewcomersPerSecond:  uint32(c.Guard.NewcomersPerSecond),
		PerSourcePerSecond:  uint32(c.Guard.PerSourcePerSecond),
		ChallengesPerSecond: uint32(c.Guard.ChallengesPerSecond),
		PacketsPerHandshake: uint32(c.Guard.PacketsPerHandshake),
		HandshakeTimeout:    c.Registrar.HandshakeTimeout,
	}
}
