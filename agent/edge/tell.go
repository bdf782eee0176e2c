// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"time"

	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/registrar/wire"
)

// tellClients makes the idle clients of lost elements hear of it whose time has come. The rows are marked
// in the kernel by then, so that a client that sends in between is answered there. That an element is lost
// is said once.
func (r *reconciler) tellClients(s *service, now time.Time) {
	for _, row := range r.steering.Rows(s.Service) {
		e := s.elements[elementKey{wire.PEID(row.PE), row.Addr}]
		if e == nil || len(e.tell) == 0 || e.tell[0].After(now) {
			continue
		}
		first := len(e.tell) == len(tellAfter)
		e.tell = e.tell[1:]
		asked := r.askClients(s, row)
		if !first {
			r.log.Debug("asked clients of a lost element again", "service", s.Service, "element", wire.PEID(row.PE), "clients_asked", asked)
			continue
		}
		r.asked[s.Service] += uint64(asked)
		r.log.Info("an element is lost", "service", s.Service, "pool", s.pool, "element", wire.PEID(row.PE), "identity", e.identity,
			"address", row.Addr, "on_loss", s.options.OnLoss.String(), "flows", r.flows[row.Index], "clients_asked", asked)
	}
}

// askClients asks the clients of an element's TCP flows, unless these flows migrate, and returns how many.
func (r *reconciler) askClients(s *service, row maps.Row) int {
	if s.options.OnLoss == maps.MigrateFlows {
		return 0
	}
	flows, err := r.table.ToTell(row.Index)
	if err != nil {
		r.log.Error("find the clients of a lost element", "element", row.Addr, "error", err)
		return 0
	}
	asked, err := r.teller.ask(flows)
	if err != nil {
		r.log.Warn("not every client was asked", "element", row.Addr, "error", err)
	}
	return asked
}
