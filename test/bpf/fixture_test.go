// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/loader"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/lab"
	"github.com/weir-lb/weir/test/require"
)

// The gateway's network, as its kernel knows it:
//
//	clients 10.64.0.0/10 -- router 10.0.9.1 -- cl [gateway] be -- elements 10.0.20.0/24
//	                                                      other -- element 10.0.30.1
//
// The program is attached to cl and be. Of the elements, .1 to .9 are resolved neighbours, .99
// is not; .50 has a route with an MTU of 600; 10.200.0.1 has no route at all.
const (
	routerMAC = "02:00:00:00:09:01"
	clMAC     = "02:00:00:00:00:01" // the lab counts the ends of its links
	beMAC     = "02:00:00:00:00:03"

	client    = "10.64.0.1:40000"
	vip       = "10.0.100.1:80"
	vip2      = "10.0.100.2:80"
	vipDNS    = "10.0.100.1:53"
	element1  = "10.0.20.1:8080"
	element2  = "10.0.20.2:8080"
	registrar = "10.0.9.254:3863"
)

func elementMAC(n byte) string { return fmt.Sprintf("02:00:00:00:20:%02x", n) }

type fixture struct {
	testing.TB
	gateway  *lab.Node
	maps     *bpf.WeirMaps
	program  *ebpf.Program
	steering *maps.Steering
	flows    *maps.Flows
	guard    *maps.Guard
	ifindex  map[string]uint32
}

func services() []maps.Service {
	return []maps.Service{
		{VIP: netip.MustParseAddrPort(vip), Protocol: maps.TCP},
		{VIP: netip.MustParseAddrPort(vip2), Protocol: maps.TCP},
		{VIP: netip.MustParseAddrPort(vipDNS), Protocol: maps.UDP},
		web6(), dns6(),
	}
}

func web() maps.Service  { return services()[0] }
func web2() maps.Service { return services()[1] }
func dns() maps.Service  { return services()[2] }

// newFixture loads the program, attaches it and opens services and guard like weir edge does.
func newFixture(t testing.TB) *fixture {
	t.Helper()
	return newFixtureOf(t, 5000)
}

// newFixtureOf is one whose flow table is made for so many flows.
func newFixtureOf(t testing.TB, flows uint32) *fixture {
	t.Helper()
	require.Need(t, require.Root, require.BPF, require.NetNS)
	network, err := lab.New("bpf", slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { must(t, network.Close()) })
	f := &fixture{TB: t, ifindex: map[string]uint32{}}
	f.gateway, err = network.Node("gw")
	must(t, err)
	far, err := network.Node("far")
	must(t, err)
	for _, l := range []struct{ name, addr string }{
		{"cl", "10.0.9.254/24"}, {"be", "10.0.20.254/24"}, {"other", "10.0.30.254/24"},
	} {
		must(t, network.Link(lab.End{Node: f.gateway, Name: l.name, Addr: netip.MustParsePrefix(l.addr)}, lab.End{Node: far, Name: l.name}))
		f.ifindex[l.name] = f.index(l.name)
	}
	must(t, f.gateway.Sysctl("net.ipv4.ip_forward", "1"))
	f.routes()
	dir, err := network.BPFFS()
	must(t, err)
	f.load(filepath.Join(dir, "weir"), flows)
	return f
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// inside runs f where the gateway's interfaces are.
func (f *fixture) inside(do func() error) {
	f.Helper()
	must(f, f.gateway.Do(do))
}

func (f *fixture) index(name string) (index uint32) {
	f.inside(func() error {
		l, err := netlink.LinkByName(name)
		if err == nil {
			index = uint32(l.Attrs().Index)
		}
		return err
	})
	return index
}

func (f *fixture) routes() {
	must(f, f.gateway.Route(netip.MustParsePrefix("10.64.0.0/10"), netip.MustParseAddr("10.0.9.1")))
	f.neighbor("cl", "10.0.9.1", routerMAC)
	for n := byte(1); n <= 9; n++ {
		f.neighbor("be", fmt.Sprintf("10.0.20.%d", n), elementMAC(n))
	}
	f.neighbor("be", "10.0.20.50", elementMAC(50))
	f.neighbor("other", "10.0.30.1", "02:00:00:00:30:01")
	f.inside(func() error {
		return netlink.RouteAdd(&netlink.Route{
			LinkIndex: int(f.ifindex["be"]), Scope: netlink.SCOPE_LINK, MTU: 600, MTULock: true,
			Dst: &net.IPNet{IP: net.IPv4(10, 0, 20, 50), Mask: net.CIDRMask(32, 32)},
		})
	})
}

func (f *fixture) neighbor(ifname, ip, mac string) {
	f.inside(func() error {
		return netlink.NeighAdd(&netlink.Neigh{
			LinkIndex: int(f.ifindex[ifname]), State: netlink.NUD_PERMANENT, IP: net.ParseIP(ip), HardwareAddr: hardware(mac),
		})
	})
}

func hardware(mac string) net.HardwareAddr {
	addr, err := net.ParseMAC(mac)
	if err != nil {
		panic(err)
	}
	return addr
}

func (f *fixture) load(dir string, flows uint32) {
	var d *loader.Datapath
	f.inside(func() (err error) {
		if d, err = loader.Load(loader.Config{
			Dir: dir, Interfaces: []string{"cl", "be"}, Flows: flows, Log: slog.New(slog.DiscardHandler),
		}); err != nil {
			return err
		}
		return d.Attach()
	})
	f.Cleanup(func() { must(f, d.Close()); must(f, loader.Remove(dir)) })
	f.maps = d.Maps
	must(f, maps.WriteParameters(f.maps, d.Clock, maps.Limits{
		NewcomersPerSecond: 1000, PerSourcePerSecond: 50, ChallengesPerSecond: 1000, PacketsPerHandshake: 3, ErrorsPerSecond: 10_000, HandshakeTimeout: time.Minute,
	}, maps.Timeouts{TCP: time.Hour, Opening: time.Minute, Closing: time.Minute, UDP: time.Minute}))
	// The choice of elements must be the same every time: with two of them, one flow in 256 finds
	// the same one in all of its eight tries.
	f.change(func(p *bpf.WeirParameters) { p.SelectKey = [2]uint64{1, 2} })
	var err error
	f.guard, err = maps.OpenGuard(f.maps, []netip.AddrPort{netip.MustParseAddrPort(registrar)}, nil)
	must(f, err)
	f.steering, err = maps.OpenSteering(f.maps, services())
	must(f, err)
	f.Cleanup(func() { must(f, f.steering.Close()) })
	f.flows, err = maps.OpenFlows(f.maps, d.Clock)
	must(f, err)
	f.Cleanup(func() { must(f, f.flows.Close()) })
	f.program = attachedProgram(f, filepath.Join(dir, "links", "cl"))
}

// attachedProgram is what a pinned link runs.
func attachedProgram(t testing.TB, path string) *ebpf.Program {
	l, err := link.LoadPinnedLink(path, nil)
	must(t, err)
	defer l.Close()
	info, err := l.Info()
	must(t, err)
	program, err := ebpf.NewProgramFromID(info.Program)
	must(t, err)
	t.Cleanup(func() { program.Close() })
	return program
}

// change rewrites the settings that the program reads.
func (f *fixture) change(set func(*bpf.WeirParameters)) {
	f.Helper()
	var p bpf.WeirParameters
	must(f, f.maps.Settings.Lookup(uint32(0), &p))
	set(&p)
	must(f, f.maps.Settings.Put(uint32(0), p))
}

// pool applies active elements of weight 1 to a service, with their index as PE identifier.
func (f *fixture) pool(s maps.Service, elements ...string) {
	f.Helper()
	var list []maps.Element
	for i, e := range elements {
		list = append(list, maps.Element{PE: uint32(i + 1), Addr: netip.MustParseAddrPort(e), Weight: 1, State: maps.Active})
	}
	must(f, f.steering.Apply(s, list))
}

// mark applies the service's elements with another state for one of them; nil removes it.
func (f *fixture) mark(s maps.Service, element string, state *maps.State) {
	f.Helper()
	var list []maps.Element
	for _, row := range f.steering.Rows(s) {
		e := row.Element
		if e.Addr == netip.MustParseAddrPort(element) {
			if state == nil {
				continue
			}
			e.State = *state
		}
		list = append(list, e)
	}
	must(f, f.steering.Apply(s, list))
}

// forget empties what packets wrote: flows, newcomers, proofs and budgets.
func (f *fixture) forget() {
	f.Helper()
	f.eachBucket(func(b *bpf.WeirFlowBucket) { *b = bpf.WeirFlowBucket{} })
	for _, m := range []*ebpf.Map{f.maps.Newcomers, f.maps.Proven, f.maps.Admitted} {
		var key, value []byte
		var keys [][]byte
		it := m.Iterate()
		for it.Next(&key, &value) {
			keys = append(keys, append([]byte(nil), key...))
		}
		must(f, it.Err())
		for _, key := range keys {
			must(f, m.Delete(key))
		}
	}
	for budget := range uint32(bpf.WeirBudgetBUDGET_MAX) {
		must(f, f.maps.Budgets.Put(budget, uint64(0)))
	}
}
