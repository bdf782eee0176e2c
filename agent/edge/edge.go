// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/weir-lb/weir/agent/config"
	"github.com/weir-lb/weir/agent/nexthop"
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
	selection   maps.SelectionKey
	datapath    *loader.Datapath
	guard       *maps.Guard
	flows       *maps.Flows
	teller      *teller
	inbox       *inbox
	hops        *nexthop.Finder
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
	if err := g.datapath.Attach(); err != nil {
		return err
	}
	return g.openHops()
}

// openHops begins to follow the next hops behind the interfaces that the program is attached to: packets
// can be redirected to those alone.
func (g *gateway) openHops() (err error) {
	var interfaces []int
	names := map[uint32]string{}
	for _, a := range g.datapath.Interfaces() {
		interfaces = append(interfaces, a.Index)
		names[uint32(a.Index)] = a.Name
	}
	if g.hops, err = nexthop.Open(nexthop.Config{Interfaces: interfaces, Log: g.log}); err != nil {
		return err
	}
	uplinks, err := maps.OpenUplinks(g.datapath.Maps, g.datapath.Clock)
	if err != nil {
		return err
	}
	g.reconcile.ways = ways{finder: g.hops, uplinks: uplinks, names: names, changed: true}
	return nil
}

func (g *gateway) openSockets() (err error) {
	if g.credentials, err = g.cfg.Registrar.Load(); err != nil {
		return err
	}
	if g.control, err = operate.ListenControl(g.cfg.Control, g.document, g.commands()); err != nil {
		return err
	}
	if g.metrics, err = operate.ListenMetrics(g.cfg.Metrics, newCollector(g.status, operate.Version())); err != nil {
		return operate.ExplainListen("metrics", g.cfg.Metrics, err)
	}
	if g.selection, err = g.cfg.Selection.load(); err != nil {
		return err
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
		Dir: g.cfg.BPF, Interfaces: g.cfg.Interfaces, IPv6: slices.ContainsFunc(g.cfg.Services, ServiceConfig.isIPv6),
		Flows: uint32(g.cfg.Flows.Max), Log: g.log,
	})
	if err != nil {
		return err
	}
	if err = maps.WriteParameters(g.datapath.Maps, g.datapath.Clock, g.cfg.limits(), g.cfg.timeouts()); err != nil {
		return err
	}
	if g.guard, err = maps.OpenGuard(g.datapath.Maps, g.listening(wire.ProtocolTCP), g.listening(wire.ProtocolSCTP)); err != nil {
		return err
	}
	if g.flows, err = maps.OpenFlows(g.datapath.Maps, g.datapath.Clock); err != nil {
		return err
	}
	g.reconcile = newReconciler(g.datapath.Maps, g.flows, g.inbox, g.teller, g.log)
	g.reconcile.selection = g.selection
	g.reconcile.rotate(time.Now())
	return g.reconcile.configure(g.cfg, time.Now())
}

func (g *gateway) newRegistrar() (*registrar.Registrar, error) {
	g.cfg.Registrar.Identify()
	cfg := g.cfg.Registrar.Build(g.credentials)
	cfg.Gate, cfg.Observer, cfg.Log = g, g.inbox, g.log
	return registrar.New(cfg)
}

// listening is where the registrar speaks a protocol.
func (g *gateway) listening(protocol wire.Protocol) (all []netip.AddrPort) {
	r := g.cfg.Registrar.Build(g.credentials)
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

func (g *gateway) serve(ctx context.Context, reload <-chan Config) error {
	operate.WarnUnsecured(g.log, g.cfg.Registrar.Unsecured)
	g.log.Info("ready", "registrar", g.registrar.Addr(), "server", g.cfg.Registrar.ServerID, "services", len(g.cfg.Services))
	return operate.RunAll(ctx,
		operate.Part{Name: "registrar", Run: g.registrar.Run},
		operate.Part{Name: "control socket", Run: g.control.Run},
		operate.Part{Name: "metrics", Run: g.metrics.Run},
		operate.Part{Name: "reconciler", Run: g.reconcile.run},
		operate.Part{Name: "next hops", Run: g.hops.Run},
		operate.Follow(reload, g.take),
	)
}

func (g *gateway) close() error {
	var errs []error
	if g.registrar != nil {
		errs = append(errs, g.registrar.Close())
	}
	if g.reconcile != nil {
		errs = append(errs, g.reconcile.ways.close(), g.reconcile.close())
	}
	if g.hops != nil {
		errs = append(errs, g.hops.Close())
	}
	if g.flows != nil {
		errs = append(errs, g.flows.Close())
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

// openingTimeout is how long a flow lives that is not answered.
const openingTimeout = time.Minute

func (c Config) timeouts() maps.Timeouts {
	return maps.Timeouts{TCP: c.Flows.TCPIdle, Opening: openingTimeout, Closing: c.Flows.Closing, UDP: c.Flows.UDPIdle}
}

func (c Config) limits() maps.Limits {
	return maps.Limits{
		NewcomersPerSecond:  uint32(c.Guard.NewcomersPerSecond),
		PerSourcePerSecond:  uint32(c.Guard.PerSourcePerSecond),
		ChallengesPerSecond: uint32(c.Guard.ChallengesPerSecond),
		PacketsPerHandshake: uint32(c.Guard.PacketsPerHandshake),
		ErrorsPerSecond:     uint32(c.ErrorsPerSecond),
		HandshakeTimeout:    c.Registrar.HandshakeTimeout,
	}
}
