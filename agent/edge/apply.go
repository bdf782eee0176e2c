// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"net/netip"

	"github.com/weir-lb/weir/maps"
)

// apply writes the services. What does not fit or fails is said once a change; the next one tries again.
func (r *reconciler) apply(services ...*service) {
	if err := r.write(services...); err != nil {
		r.log.Error("write the selection", "error", err)
	}
}

// write makes the kernel know the services as they are, all at once.
func (r *reconciler) write(services ...*service) error {
	r.ways.changed = true
	var all []maps.Selection
	for _, s := range services {
		wanted := s.wanted()
		if s.options.Mode.Tunnels() {
			if err := r.tunnels.reach(wanted); err != nil {
				r.log.Error("no packets reach some elements", "service", s.Service, "error", err)
			}
		}
		all = append(all, maps.Selection{Service: s.Service, Elements: wanted, Spread: s.spread(r.steering.Spread(s.Service))})
	}
	return r.steering.ApplyAll(all)
}

// endDenied ends the flows of clients that may not use their service any more: lists are asked when a flow begins.
func (r *reconciler) endDenied() {
	allowed := map[uint16]func(netip.Addr) bool{}
	for _, s := range r.services {
		if !s.lists.Empty() {
			allowed[r.steering.Row(s.Service)] = s.lists.Allows
		}
	}
	if len(allowed) == 0 {
		return
	}
	ended, err := r.table.End(allowed)
	if err != nil {
		r.log.Error("end the flows of clients that are denied", "error", err)
	}
	if ended > 0 {
		r.log.Info("ended the flows of clients that are denied", "flows", ended)
	}
}
