// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"cmp"
	"context"
	"net/netip"
	"slices"

	"github.com/weir-lb/weir/agent/operate"
	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/registrar/wire"
)

// document is the status at the control socket.
func (g *gateway) document(ctx context.Context) (any, error) { return g.status(ctx) }

// status is what the operator sees.
func (g *gateway) status(ctx context.Context) (Status, error) {
	s := Status{
		Role: operate.Edge, Ready: true, StartedAt: g.started, ServerID: g.cfg.Registrar.ServerID.String(),
		Listen: g.registrar.Addr().String(), Registrar: g.registrar.Stats(),
	}
	view, err := g.registrar.View(ctx)
	if err != nil {
		return Status{}, err
	}
	s.Synchronised, s.Peers = view.Synchronised, operate.PeersOf(view)
	for _, a := range g.datapath.Interfaces() {
		s.Interfaces = append(s.Interfaces, InterfaceStatus{Name: a.Name, Mode: a.Mode, Index: a.Index})
	}
	counts, err := maps.ReadCounts(g.datapath.Maps)
	if err != nil {
		return Status{}, err
	}
	for _, c := range counts {
		s.Verdicts = append(s.Verdicts, VerdictStatus{
			Name: c.Name, Action: string(c.Action), Reason: c.Reason, Packets: c.Packets, Bytes: c.Bytes})
	}
	if s.Tallies, err = readTallies(g.datapath.Maps); err != nil {
		return Status{}, err
	}
	return s, g.reconcile.ask(ctx, func(r *reconciler) {
		s.Recovering = !r.recoverUntil.IsZero()
		s.Selection = r.selectionStatus()
		s.Services = r.status()
	})
}

func readTallies(m *bpf.WeirMaps) (all []TallyStatus, err error) {
	tallies, err := maps.ReadTallies(m)
	for _, t := range tallies {
		all = append(all, TallyStatus(t))
	}
	return all, err
}

// ask runs f on the reconciler's goroutine, between two of its steps.
func (r *reconciler) ask(ctx context.Context, f func(*reconciler)) error {
	done := make(chan struct{})
	select {
	case r.requests <- func() { f(r); close(done) }:
		<-done
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *reconciler) status() []ServiceStatus {
	all := make([]ServiceStatus, 0, len(r.services))
	for _, s := range r.services {
		status := s.status(r.flowsOf(s), r.ways.describe)
		status.Spread = r.steering.Spread(s.Service).String()
		status.ClientsAsked = r.asked[s.Service]
		all = append(all, status)
	}
	return all
}

// flowsOf tells how many flows an element of the service had at the last sweep.
func (r *reconciler) flowsOf(s *service) func(elementKey) uint64 {
	rows := map[elementKey]uint16{}
	for _, row := range r.steering.Rows(s.Service) {
		rows[elementKey{wire.PEID(row.PE), row.Addr}] = row.Index
	}
	return func(key elementKey) uint64 { return r.flows[rows[key]] }
}

// status describes the service; flows are those of the last sweep.
func (s *service) status(flows func(elementKey) uint64, nextHop func(netip.Addr) string) ServiceStatus {
	out := ServiceStatus{VIP: s.String(), Pool: string(s.pool), Policy: s.policy, Mode: s.options.Mode.String(),
		Fragments: s.options.Fragments.String(), OnLoss: s.options.OnLoss.String(), Elements: []ElementStatus{},
		Slots: cmp.Or(s.options.Slots, maps.SelectionSlots), Affinity: AffinityFlow.String(), Allowed: len(s.lists.Allow), Denied: len(s.lists.Deny)}
	if s.options.ByClient {
		out.Affinity = AffinityClient.String()
	}
	total := uint64(0)
	for _, e := range s.elements {
		if e.takesFlows() {
			total += uint64(e.share())
		}
	}
	for key, e := range s.elements {
		es := ElementStatus{PE: key.pe.String(), Identity: e.identity, Address: key.addr.String(),
			Weight: e.share(), State: e.state.String(), Flows: flows(key), NextHop: nextHop(key.addr.Addr()),
			Drained: e.order.drained, Weighed: e.order.weighed}
		if e.home != 0 {
			es.Home = e.home.String()
		}
		if !e.until.IsZero() {
			until := e.until.UTC()
			es.Until = &until
		}
		if e.takesFlows() && total > 0 {
			es.Share = float64(e.share()) / float64(total)
		}
		out.Flows += es.Flows
		out.Elements = append(out.Elements, es)
	}
	slices.SortFunc(out.Elements, func(a, b ElementStatus) int {
		return cmp.Or(cmp.Compare(a.Identity, b.Identity), cmp.Compare(a.PE, b.PE))
	})
	return out
}
