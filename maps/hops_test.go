// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"net/netip"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
)

func hopTo(last byte) Hop {
	return Hop{Interface: 7, To: [6]byte{2, 0, 0, 0, 0, last}, From: [6]byte{2, 0, 0, 0, 1, last}, MTU: 1500}
}

// inRow is the hop of an element's row in the kernel.
func inRow(t *testing.T, s *Steering, service Service, addr netip.AddrPort) Hop {
	t.Helper()
	for _, row := range s.Rows(service) {
		if row.Addr == addr {
			h := lookup[bpf.WeirElement](t, s.maps.Elements, uint32(row.Index)).Hop
			return Hop{h.Ifindex, h.Dmac, h.Smac, h.Mtu, h.Router != 0}
		}
	}
	t.Fatalf("%s has no row", addr)
	return Hop{}
}

// A row keeps its hop whatever else of it changes, and gets one that is known when it is made; two
// services' rows of one address have the same.
func TestHopsOfElements(t *testing.T) {
	m := newMaps(t)
	must(t, WriteParameters(m, Clock{Hertz: 250, Shift: 8}, Limits{}, Timeouts{}))
	s, err := OpenSteering(m, []Service{web(), dns()})
	must(t, err)
	t.Cleanup(func() { s.Close() })
	one, two := element(1, "10.0.11.1:80"), element(2, "10.0.11.2:80")
	must(t, s.Apply(web(), []Element{one}))
	must(t, s.Apply(dns(), []Element{one}))
	check := func(after string, addr netip.AddrPort, want Hop) {
		t.Helper()
		for _, service := range []Service{web(), dns()} {
			if got := inRow(t, s, service, addr); got != want {
				t.Errorf("%s, %s of %s has %+v, want %+v", after, addr, service, got, want)
			}
		}
	}
	check("at first", one.Addr, Hop{})
	must(t, s.SetHops(map[netip.Addr]Hop{one.Addr.Addr(): hopTo(1), two.Addr.Addr(): hopTo(2)}))
	check("after a hop is known", one.Addr, hopTo(1))
	one.Weight, one.State = 9, Draining
	for _, service := range []Service{web(), dns()} {
		must(t, s.Apply(service, []Element{one, two}))
		must(t, s.Configure(service, Options{Mode: DSR}))
	}
	check("after the rest of the row changed", one.Addr, hopTo(1))
	check("when the row is new", two.Addr, hopTo(2))
	must(t, s.SetHops(map[netip.Addr]Hop{two.Addr.Addr(): hopTo(3)}))
	check("after its hop is gone", one.Addr, Hop{})
	check("after another hop", two.Addr, hopTo(3))

	again, err := OpenSteering(m, []Service{web(), dns()})
	must(t, err)
	t.Cleanup(func() { again.Close() })
	if got := inRow(t, again, web(), two.Addr); got != (Hop{}) {
		t.Errorf("an adopted row has an earlier agent's hop: %+v", got)
	}
}

// kernelClock is the clock that the program has.
func kernelClock(t *testing.T) Clock {
	t.Helper()
	spec, err := bpf.LoadWeir()
	must(t, err)
	var loaded struct {
		Tick *ebpf.Program `ebpf:"tick"`
	}
	must(t, spec.LoadAndAssign(&loaded, nil))
	t.Cleanup(func() { loaded.Tick.Close() })
	return NewClock(250, loaded.Tick)
}

func TestUplinks(t *testing.T) {
	m := newMaps(t)
	clock := kernelClock(t)
	u, err := OpenUplinks(m, clock)
	must(t, err)
	fresh := func() bool {
		t.Helper()
		now, err := clock.now()
		must(t, err)
		return int32(lookup[bpf.WeirUplinks](t, m.Uplinks, uint32(0)).Until-now) >= 0
	}
	if fresh() {
		t.Error("hops count before anybody renews them")
	}
	must(t, u.Renew(time.Minute))
	if !fresh() {
		t.Error("hops do not count after they were renewed")
	}
	must(t, u.Set(
		[]Uplink{{netip.MustParsePrefix("10.1.2.3/16"), Hop{}}, {netip.MustParsePrefix("0.0.0.0/0"), hopTo(1)}},
		[]Uplink{{netip.MustParsePrefix("2001:db8:1:2::3/61"), hopTo(2)}}))
	if fresh() {
		t.Error("hops count while they change")
	}
	must(t, u.Renew(time.Minute))
	row := lookup[bpf.WeirUplinks](t, m.Uplinks, uint32(0))
	for _, at := range []struct {
		client string
		want   Hop
	}{
		{"10.1.0.1", Hop{}}, {"10.1.255.255", Hop{}}, {"10.2.0.1", hopTo(1)}, {"192.0.2.1", hopTo(1)},
		{"2001:db8:1::1", hopTo(2)}, {"2001:db8:1:7:ffff::", hopTo(2)}, {"2001:db8:1:8::", Hop{}}, {"2001:db8::1", Hop{}},
	} {
		if got := firstFit(row, netip.MustParseAddr(at.client)); got != at.want {
			t.Errorf("the way to %s is %+v, want %+v", at.client, got, at.want)
		}
	}
	must(t, u.End())
	if fresh() {
		t.Error("hops count after their end")
	}
	if u.Set(make([]Uplink, MaxUplinks+1), nil) == nil {
		t.Error("more ways are taken than there is room for")
	}
}

// firstFit is what the program does with a client's address: bpf/carry.h, uplink_hop.
func firstFit(row bpf.WeirUplinks, client netip.Addr) Hop {
	a := address(client)
	if client.Is4() {
		for _, at := range row.V4 {
			if a.Half[1]&at.Mask.Half[1] == at.Prefix.Half[1] {
				return Hop{at.Hop.Ifindex, at.Hop.Dmac, at.Hop.Smac, at.Hop.Mtu, at.Hop.Router != 0}
			}
		}
	}
	for _, at := range row.V6 {
		if a.Half[0]&at.Mask.Half[0] == at.Prefix.Half[0] && a.Half[1]&at.Mask.Half[1] == at.Prefix.Half[1] {
			return Hop{at.Hop.Ifindex, at.Hop.Dmac, at.Hop.Smac, at.Hop.Mtu, at.Hop.Router != 0}
		}
	}
	return Hop{}
}
