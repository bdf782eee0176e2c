// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
)

// MoveFlows copies the flows of another table, whose keys are the same, into that of m, which no packet
// writes to yet. Flows that find no place are left behind, and choose anew.
func MoveFlows(flows, clients *ebpf.Map, m *bpf.WeirMaps) (err error) {
	from, err := mapFlows(flows, clients)
	if err != nil {
		return fmt.Errorf("move the flows: %w", err)
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := mapFlows(m.Flows, m.FlowClients)
	if err != nil {
		return fmt.Errorf("move the flows: %w", err)
	}
	from.each(func(e entry) { to.place(e, &from.clients.all[e.bucket]) })
	return to.Close()
}

// place gives a flow of another table its place in this one, if there is one.
func (f *Flows) place(e entry, client *bpf.WeirFlowClient) {
	for _, second := range []bool{false, true} {
		bucket := f.index(e.Key, second)
		for way := range f.buckets.all[bucket].Ways {
			at := &f.buckets.all[bucket].Ways[way]
			if bpf.WeirFlowState(at.State&flowStateMask) != bpf.WeirFlowStateFLOW_EMPTY {
				continue
			}
			*at = e.WeirFlow
			f.clients.all[bucket].Addr[way], f.clients.all[bucket].Port[way] = client.Addr[e.way], client.Port[e.way]
			return
		}
	}
}
