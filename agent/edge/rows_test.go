// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"fmt"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
	"github.com/weir-lb/weir/test/require"
)

// kernel is a reconciler on maps of its own, which no packet writes to, and the handlespace that it follows.
type kernel struct {
	*world
	*reconciler
	maps *bpf.WeirMaps
	tick *ebpf.Program
}

// closing is how long flows are kept that are over, and so elements that are gone.
const closing = 10 * time.Second

func newKernel(t *testing.T) *kernel {
	t.Helper()
	require.Need(t, require.Root, require.BPF)
	spec, err := bpf.LoadWeir()
	must(t, err)
	spec.Maps["services"].MaxEntries = 4
	spec.Maps["elements"].MaxEntries = 8
	spec.Maps["flows"].MaxEntries, spec.Maps["flow_clients"].MaxEntries = 64, 64
	var o struct {
		bpf.WeirMaps
		Tick *ebpf.Program `ebpf:"tick"`
	}
	must(t, spec.LoadAndAssign(&o, nil))
	t.Cleanup(func() { o.Close(); o.Tick.Close() })
	clock := maps.NewClock(250, o.Tick)
	must(t, maps.WriteParameters(&o.WeirMaps, clock, maps.Limits{}, maps.Timeouts{
		TCP: time.Hour, Opening: time.Hour, Closing: time.Hour, UDP: time.Hour}))
	flows, err := maps.OpenFlows(&o.WeirMaps, clock)
	must(t, err)
	t.Cleanup(func() { must(t, flows.Close()) })
	k := &kernel{newWorld(t), newReconciler(&o.WeirMaps, flows, newInbox(), nil, slog.New(slog.DiscardHandler)), &o.WeirMaps, o.Tick}
	must(t, k.configure(configured("10.0.100.1"), k.now))
	t.Cleanup(func() { must(t, k.close()) })
	return k
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// configured serves the pool at port 80 of each VIP.
func configured(vips ...string) Config {
	cfg := Config{Flows: FlowsConfig{Closing: closing}, Recovery: time.Second}
	for _, vip := range vips {
		cfg.Services = append(cfg.Services, ServiceConfig{VIP: netip.MustParseAddr(vip), Port: 80, Protocol: wire.ProtocolTCP, Pool: testPool})
	}
	return cfg
}

// register and leave are those of world, and reach the kernel.
func (k *kernel) register(pe wire.PEID, at string) {
	k.t.Helper()
	k.world.register(fmt.Sprintf("pe-%d", pe), pe, at, 1)
	k.follow(nil)
}

func (k *kernel) leave(pe wire.PEID, reason handlespace.DepartReason) {
	k.t.Helper()
	e := k.space.Remove(handlespace.Key{Pool: testPool, PE: pe})
	k.follow([]handlespace.Departure{{Element: e, Reason: reason}})
}

func (k *kernel) follow(departed []handlespace.Departure) {
	p := k.space.Pool(testPool)
	if p == nil {
		p = k.space.Gone(testPool)
	}
	k.inbox.PoolChanged(p, departed)
	k.takeChanges(k.now)
}

// passes lets time pass, and sweeps.
func (k *kernel) passes(d time.Duration) {
	k.now = k.now.Add(d)
	k.sweep(k.now)
}

// flow puts a flow into a bucket, or takes it out with row 0. It is only opening, so that there is no
// client to be told.
func (k *kernel) flow(bucket uint32, row uint16) {
	k.t.Helper()
	var b bpf.WeirFlowBucket
	if row != 0 {
		now, err := k.tick.Run(&ebpf.RunOptions{})
		must(k.t, err)
		b.Ways[0] = bpf.WeirFlow{Key: uint64(bucket) << 58, Seen: uint16(now), Element: row, Service: 1, State: uint8(bpf.WeirFlowStateFLOW_OPENING)}
	}
	must(k.t, k.maps.Flows.Put(bucket, b))
}

func (k *kernel) hasFlow(bucket uint32) bool {
	k.t.Helper()
	var b bpf.WeirFlowBucket
	must(k.t, k.maps.Flows.Lookup(bucket, &b))
	return bpf.WeirFlowState(b.Ways[0].State) >= bpf.WeirFlowStateFLOW_OPENING
}

// wantRow says which row the element at this address has in the first service, 0 for none.
func (k *kernel) wantRow(at string, want uint16) {
	k.t.Helper()
	got := uint16(0)
	for _, row := range k.steering.Rows(k.services[0].Service) {
		if row.Addr == addr(at) {
			got = row.Index
		}
	}
	if got != want {
		k.t.Errorf("the element at %s has row %d, want %d", at, got, want)
	}
}

func TestRowStaysWhileFlowsNameIt(t *testing.T) {
	k := newKernel(t)
	k.register(1, "10.0.11.1:80")
	k.flow(5, 1)
	k.leave(1, handlespace.Deregistered)
	k.passes(2 * closing)
	k.wantRow("10.0.11.1:80", 1)
	must(t, k.configure(configured("10.0.100.1"), k.now)) // a reload
	k.wantRow("10.0.11.1:80", 1)
	k.passes(2 * closing)
	k.wantRow("10.0.11.1:80", 1)
	if !k.hasFlow(5) {
		t.Error("a flow of a draining element ended")
	}
	k.flow(5, 0)
	k.passes(time.Second)
	k.wantRow("10.0.11.1:80", 0)
}

// A row is not another element's before the flows that name it have ended.
func TestRowOfLostElement(t *testing.T) {
	k := newKernel(t)
	k.register(1, "10.0.11.1:80")
	k.register(2, "10.0.11.2:80")
	k.flow(5, 1)
	k.flow(6, 2)
	k.leave(1, handlespace.Lost)
	k.passes(closing / 2)
	k.wantRow("10.0.11.1:80", 1) // its clients may still be told
	k.passes(closing)
	k.wantRow("10.0.11.1:80", 0)
	k.register(3, "10.0.11.3:80")
	k.wantRow("10.0.11.3:80", 3)
	if !k.hasFlow(5) {
		t.Fatal("the flow ended before the sweep that looks for it")
	}
	must(t, k.configure(configured("10.0.100.1"), k.now)) // a reload knows of the row, too
	k.register(4, "10.0.11.4:80")
	k.wantRow("10.0.11.4:80", 4)
	k.passes(time.Second)
	if k.hasFlow(5) || !k.hasFlow(6) {
		t.Error("the flows of the lost element, and only those, should have ended")
	}
	k.register(5, "10.0.11.5:80")
	k.wantRow("10.0.11.5:80", 1)
}

func TestServiceThatIsNoLongerConfigured(t *testing.T) {
	k := newKernel(t)
	must(t, k.configure(configured("10.0.100.1", "2001:db8::1"), k.now))
	k.register(1, "10.0.11.1:80")
	k.flow(5, 1)
	must(t, k.configure(configured("2001:db8::1"), k.now))
	k.wantRow("10.0.11.1:80", 0)
	k.passes(time.Second)
	if k.hasFlow(5) {
		t.Error("a flow of a service that is gone is still there")
	}
}

// What cannot be configured changes nothing: the gateway goes on with what it had.
func TestReloadThatFails(t *testing.T) {
	k := newKernel(t)
	k.register(1, "10.0.11.1:80")
	k.flow(5, 1)
	tooMany := configured("10.0.100.1", "10.0.100.2", "10.0.100.3", "10.0.100.4")
	if err := k.configure(tooMany, k.now); err == nil {
		t.Fatal("four services in three rows")
	}
	k.wantRow("10.0.11.1:80", 1)
	k.register(2, "10.0.11.2:80")
	k.passes(closing)
	k.wantRow("10.0.11.2:80", 2)
	if got := k.status(); len(got) != 1 || len(got[0].Elements) != 2 || got[0].Flows != 1 {
		t.Errorf("status %+v, want one service with two elements and a flow", got)
	}
	must(t, k.configure(configured("10.0.100.1", "10.0.100.2"), k.now))
	k.wantRow("10.0.11.1:80", 1)
}
