// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/test/require"
)

// Where flows are drained an element that is lost is draining first, but not one that must not serve.
func TestLostElementDrains(t *testing.T) {
	const at, drain = "10.0.11.2:8080", time.Minute
	later := func(w *world, d time.Duration) {
		w.now = w.now.Add(d)
		w.svc.expire(w.now)
	}
	for _, tc := range []struct {
		name   string
		reason handlespace.DepartReason
		then   func(*world)
		want   maps.State
		until  bool
	}{
		{"keep-alive unanswered", handlespace.Lost, func(*world) {}, maps.Draining, true},
		{"reported unreachable", handlespace.Unreachable, func(*world) {}, maps.Draining, true},
		{"grant taken away", handlespace.Revoked, func(*world) {}, maps.Lost, false},
		{"deregistered", handlespace.Deregistered, func(*world) {}, maps.Draining, false},
		{"deregistered, for long", handlespace.Deregistered, func(w *world) { later(w, 2*drain) }, maps.Draining, false},
		{"just before its time is over", handlespace.Lost, func(w *world) { later(w, drain-1) }, maps.Draining, true},
		{"its time is over", handlespace.Lost, func(w *world) { later(w, drain) }, maps.Lost, false},
		{"back in time", handlespace.Lost, func(w *world) { w.register("pe-1", 1, at, 3); later(w, drain) }, maps.Active, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.svc.drain = drain
			w.register("pe-1", 1, at, 3)
			w.leave(1, tc.reason)
			tc.then(w)
			w.want(1, at, tc.want)
			if until := w.svc.wanted()[0].Until; (until != 0) != tc.until {
				t.Errorf("until %d, want one: %t", until, tc.until)
			}
		})
	}
}

// What did not come back after a restart is lost, and so drains, too. What drained before goes on from
// where it was, but for a clock that was changed.
func TestDrainAfterARestart(t *testing.T) {
	const drain = time.Minute
	for _, tc := range []struct {
		name  string
		left  time.Duration // of the last run's time
		drain time.Duration // by the configuration now
		want  time.Duration
	}{
		{"goes on", 20 * time.Second, drain, 20 * time.Second},
		{"its time was over meanwhile", -20 * time.Second, drain, 0},
		{"the clock went back", time.Hour, drain, drain},
		{"flows are not drained any more", 20 * time.Second, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.svc.drain = tc.drain
			w.svc.adopt(maps.Row{Index: 1, Element: maps.Element{
				PE: 1, Addr: addr(first), State: maps.Draining, Until: uint32(w.now.Add(tc.left).Unix())}}, w.now)
			if tc.want > 0 {
				w.svc.expire(w.now.Add(tc.want - 1))
				w.want(1, first, maps.Draining)
			}
			w.svc.expire(w.now.Add(tc.want))
			w.want(1, first, maps.Lost)
		})
	}
	w := newWorld(t)
	w.svc.drain = drain
	w.svc.adopt(maps.Row{Index: 1, Element: maps.Element{PE: 1, Addr: addr(first), State: maps.Active}}, w.now)
	w.svc.endRecovery(w.now)
	w.want(1, first, maps.Draining)
	w.svc.expire(w.now.Add(drain))
	w.want(1, first, maps.Lost)
}

// lossy is a kernel whose service has such a configuration, and whose log is kept.
func lossy(t *testing.T, on maps.OnLoss) (*kernel, *bytes.Buffer, Config) {
	var log bytes.Buffer
	k := newKernel(t)
	k.log = slog.New(slog.NewTextHandler(&log, nil))
	cfg := configured("10.0.100.1")
	cfg.Services[0].OnLoss = on
	must(t, k.configure(cfg, k.now))
	return k, &log, cfg
}

// The time to drain lies in the row, and a reload does not make it longer.
func TestDrainOverAReload(t *testing.T) {
	k, log, cfg := lossy(t, maps.DrainFlows)
	k.register(1, first)
	k.flow(5, 1)
	k.leave(1, handlespace.Lost)
	k.wants("lost", "1@"+first+" draining")
	if e := k.status()[0].Elements[0]; e.Until == nil || !e.Until.Equal(k.now.Add(DefaultDrainTime)) || e.State != StateDraining {
		t.Errorf("%+v, want it draining for %s", e, DefaultDrainTime)
	}
	for range 3 {
		k.passes(DefaultDrainTime / 4)
		must(t, k.configure(cfg, k.now))
	}
	k.wants("shortly before", "1@"+first+" draining")
	if !k.hasFlow(5) {
		t.Error("the flow is gone before its time")
	}
	k.now = k.now.Add(DefaultDrainTime/4 + time.Second)
	if due := k.deadline(); due.After(k.now) {
		t.Errorf("it looks again at %v, and its time was over before %v", due, k.now)
	}
	k.reconciler.tick(k.now)
	k.wants("afterwards", "1@"+first+" lost")
	if n := strings.Count(log.String(), `msg="an element is lost"`); n != 1 {
		t.Errorf("%d events that an element is lost in\n%s", n, log)
	}
}

// One event says of a lost element how many clients were asked; those of flows that migrate are not.
func TestLossIsSaidOnce(t *testing.T) {
	require.Need(t, require.Root, require.NetNS)
	const at, client = "[2001:db8:11::1]:80", "[2001:db8:9::2]:40000"
	for _, on := range []maps.OnLoss{maps.ResetFlows, maps.MigrateFlows} {
		t.Run(on.String(), func(t *testing.T) {
			k, log, cfg := lossy(t, on)
			cfg.Services[0].VIP = netip.MustParseAddr("2001:db8:100::1")
			must(t, k.configure(cfg, k.now))
			gateway, _ := pair(t, netip.MustParsePrefix("2001:db8:9::1/64"), netip.MustParsePrefix("2001:db8:9::2/64"))
			must(t, gateway.Do(func() (err error) { // where its sockets stay
				k.teller, err = newTeller()
				return err
			}))
			t.Cleanup(func() { must(t, k.teller.Close()) })
			k.register(1, at)
			row := k.steering.Rows(k.services[0].Service)[0].Index
			k.established(client, row)
			k.passes(time.Second) // counts the flows
			k.leave(1, handlespace.Lost)
			for range 5 { // as often as clients are asked, and reloads
				k.now = k.now.Add(500 * time.Millisecond)
				k.reconciler.tick(k.now)
				must(t, k.configure(cfg, k.now))
			}
			asked := map[maps.OnLoss]uint64{maps.ResetFlows: 1, maps.MigrateFlows: 0}[on]
			want := fmt.Sprintf(`msg="an element is lost" service=tcp://[2001:db8:100::1]:80 pool=web element=0x00000001 identity=pe-1 address=%s`+
				" on_loss=%s flows=1 clients_asked=%d\n", at, on, asked)
			if strings.Count(log.String(), "an element is lost") != 1 || !strings.Contains(log.String(), want) {
				t.Errorf("want once %sin\n%s", want, log)
			}
			if got := k.status()[0].ClientsAsked; got != asked {
				t.Errorf("%d clients asked by the status, want %d", got, asked)
			}
		})
	}
}

// established puts an established flow of an IPv6 client into the table.
func (k *kernel) established(client string, row uint16) {
	k.t.Helper()
	const bucket = 5
	k.flow(bucket, row)
	var b bpf.WeirFlowBucket
	must(k.t, k.maps.Flows.Lookup(uint32(bucket), &b))
	b.Ways[0].State = uint8(bpf.WeirFlowStateFLOW_ESTABLISHED) | 0x80
	b.Ways[0].Service = k.serviceRow()
	must(k.t, k.maps.Flows.Put(uint32(bucket), b))
	var c bpf.WeirFlowClient
	ip := addr(client).Addr().As16()
	c.Addr[0].Half = [2]uint64{binary.NativeEndian.Uint64(ip[:]), binary.NativeEndian.Uint64(ip[8:])}
	var port [2]byte
	binary.BigEndian.PutUint16(port[:], addr(client).Port())
	c.Port[0] = binary.NativeEndian.Uint16(port[:])
	must(k.t, k.maps.FlowClients.Put(uint32(bucket), c))
}

// serviceRow is that of the first service's elements.
func (k *kernel) serviceRow() uint16 {
	var e bpf.WeirElement
	must(k.t, k.maps.Elements.Lookup(uint32(k.steering.Rows(k.services[0].Service)[0].Index), &e))
	return e.Service
}
