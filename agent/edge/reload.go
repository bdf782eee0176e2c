// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/weir-lb/weir/maps"
)

// take puts a new configuration into effect. The keys come first: of all that it needs, their file
// is what may be faulty, and then nothing changes.
func (g *gateway) take(ctx context.Context, cfg Config) {
	selection, err := cfg.Selection.load()
	if err == nil {
		err = g.credentials.Reload()
	}
	if err != nil {
		g.log.Error("the configuration is not taken", "fault", err)
		return
	}
	g.selection = selection
	if fixed := needsRestart(g.cfg, cfg); len(fixed) > 0 {
		g.log.Warn("these settings change only with a restart of weir edge", "settings", fixed)
	}
	if err := g.reconfigure(ctx, cfg); err != nil {
		g.log.Error("the new configuration is in effect only in part", "error", err)
		return
	}
	g.log.Info("configuration reloaded")
}

// reconfigure applies the guard's limits, services, timeouts and grants; the keys are loaded.
func (g *gateway) reconfigure(ctx context.Context, cfg Config) error {
	var parameters, services error
	asked := g.reconcile.ask(ctx, func(r *reconciler) { // which writes the settings, too
		parameters = maps.WriteParameters(g.datapath.Maps, g.datapath.Clock, cfg.limits(), cfg.timeouts())
		r.selection = g.selection
		r.rotate(time.Now())
		services = r.configure(cfg, time.Now())
	})
	g.registrar.Reload(cfg.Registrar.Grants)
	return errors.Join(parameters, asked, services)
}

// needsRestart names the settings that differ and that a running gateway keeps.
func needsRestart(old, new Config) (names []string) {
	names = old.Registrar.NeedsRestart(new.Registrar)
	for name, differ := range map[string]bool{
		"interfaces": !slices.Equal(old.Interfaces, new.Interfaces),
		"flows.max":  old.Flows.Max != new.Flows.Max,
		"bpf":        old.BPF != new.BPF,
		"metrics":    old.Metrics != new.Metrics,
		"control":    old.Control != new.Control,
	} {
		if differ {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// endpoint is the service as the kernel knows it.
func (c ServiceConfig) endpoint() maps.Service {
	return maps.Service{VIP: netip.AddrPortFrom(c.VIP, c.Port), Protocol: protocolNumber(c.Protocol)}
}
