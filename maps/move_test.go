// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"testing"

	"github.com/weir-lb/weir/bpf"
)

// Whatever sizes the tables have: flows that have a place are found there, and are what they were.
func TestMoveFlows(t *testing.T) {
	for _, tt := range []struct {
		name     string
		from, to uint32
		flows    int
		least    int // so many have a place
	}{
		{"to a larger table", 32, 200, 40, 40},
		{"to one of the same size", 128, 128, 80, 80},
		{"to one that is nearly too small", 100, 32, 90, 60},
		{"to one for a few of them", 100, 2, 90, 8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMapsOf(t, tt.from)
			must(t, WriteParameters(m, testClock(), limits(), testTimeouts()))
			from, old := openFlows(t, m)
			for i := range tt.flows {
				state := isOpening + bpf.WeirFlowState(i%7)
				old.begin(flow{client: clientOf(i), service: uint16(1 + i%3), element: uint16(i), state: state, idle: uint16(i % 5)})
			}
			next := newMapsOf(t, tt.to)
			must(t, next.Settings.Put(uint32(0), lookup[bpf.WeirParameters](t, m.Settings, uint32(0))))
			must(t, MoveFlows(m.Flows, m.FlowClients, next))
			to, p := openFlows(t, next)
			was, is := old.used(t), p.used(t)
			if len(is) < min(tt.least, len(was)) {
				t.Errorf("%d of %d flows were moved", len(is), len(was))
			}
			for k, w := range is {
				if w != was[k] || p.find(k) == nil {
					t.Errorf("flow %x is %+v, was %+v; found: %+v", k, w, was[k], p.find(k))
				}
			}
			wantClients(t, from, to)
		})
	}
}

// wantClients checks that each flow of the second table has the client that it has in the first.
func wantClients(t *testing.T, from, to *Flows) {
	t.Helper()
	clients := map[flowKey]any{}
	from.each(func(e entry) { clients[flowKey{e.Key, e.Service}], _ = from.client(e) })
	to.each(func(e entry) {
		if client, ok := to.client(e); !ok || client != clients[flowKey{e.Key, e.Service}] {
			t.Errorf("flow %x is that of %s, was that of %v", e.Key, client, clients[flowKey{e.Key, e.Service}])
		}
	})
}

// Only flows are moved, and not what is left of them.
func TestMoveLeavesFreeEntriesBehind(t *testing.T) {
	m, next := newMaps(t), newMaps(t)
	_, old := openFlows(t, m)
	old.mustBegin(t, one(isOpen, 0))
	other := &old.buckets[(old.places(old.keyOf(one(isOpen, 0)).key)[0]+1)%testBuckets]
	other.Ways[0] = bpf.WeirFlow{Key: 9, State: isDead, Version: 4}
	other.Ways[1] = bpf.WeirFlow{Key: 10, State: uint8(bpf.WeirFlowStateFLOW_BUSY), Version: 4}
	must(t, MoveFlows(m.Flows, m.FlowClients, next))
	_, p := openFlows(t, next)
	taken := 0
	for _, b := range p.buckets {
		for _, w := range b.Ways {
			if w != (bpf.WeirFlow{}) {
				taken++
			}
		}
	}
	if taken != 1 {
		t.Errorf("%d entries were written, want one", taken)
	}
}
