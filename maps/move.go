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
	from.each(func(e entry) {
		addr, port, ok := from.client6(e)
		if at, free := to.vacancy(e.Key); ok && free {
			to.buckets.all[at.bucket].Ways[at.way] = e.WeirFlow
			to.clients.all[at.bucket].Addr[at.way], to.clients.all[at.bucket].Port[at.way] = addr, port
		}
	})
	return to.Close()
}

// vacancy is an empty entry where a flow of this key may be.
func (f *Flows) vacancy(key uint64) (entry, bool) {
	for _, bucket := range f.places(key) {
		for way, is := range f.buckets.all[bucket].Ways {
			if e := (entry{bucket, way, is}); e.state() == bpf.WeirFlowStateFLOW_EMPTY {
				return e, true
			}
		}
	}
	return entry{}, false
}
