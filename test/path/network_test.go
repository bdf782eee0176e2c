// SPDX-License-Identifier: Apache-2.0

package path

import (
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/weir-lb/weir/loader"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/lab"
	"github.com/weir-lb/weir/test/require"
)

// The path, in both families; link n is 10.1.n.0/24 and fd01:n::/64, its left end .1 and its right end .2:
//
//	client --1-- outer --2-- gateway --3-- inner --4-- server
const links = 4

func nodes() []string { return []string{"client", "outer", "gateway", "inner", "server"} }

// left and right are the interfaces of a link's ends.
func left(link int) string  { return fmt.Sprintf("l%d", link) }
func right(link int) string { return fmt.Sprintf("r%d", link) }

func linkAddr(link, end int, v6 bool) netip.Addr {
	if v6 {
		return netip.MustParseAddr(fmt.Sprintf("fd01:%d::%d", link, end))
	}
	return netip.AddrFrom4([4]byte{10, 1, byte(link), byte(end)})
}

func linkNet(link int, v6 bool) netip.Prefix {
	if v6 {
		return netip.PrefixFrom(linkAddr(link, 0, v6), 64)
	}
	return netip.PrefixFrom(linkAddr(link, 0, v6), 24)
}

// vip is the services' address.
func vip(v6 bool) netip.Addr {
	if v6 {
		return netip.MustParseAddr("fd01:100::1")
	}
	return netip.MustParseAddr("10.1.100.1")
}

const (
	vipPort    = 80
	serverPort = 8080
)

type path struct {
	testing.TB
	nodes map[string]*lab.Node
	maps  *loader.Datapath
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newPath has a TCP and a UDP service in each family, with the server as their element.
func newPath(t *testing.T) *path {
	t.Helper()
	require.Need(t, require.Root, require.BPF, require.NetNS)
	l, err := lab.New("path", slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	p := &path{TB: t, nodes: map[string]*lab.Node{}}
	for i, name := range nodes() {
		p.nodes[name], err = l.Node(name)
		must(t, err)
		must(t, p.nodes[name].Sysctl("net.ipv4.ip_forward", "1"))
		must(t, p.nodes[name].Sysctl("net.ipv6.conf.all.forwarding", "1"))
		if i > 0 {
			p.join(l, i)
		}
	}
	must(t, p.nodes["outer"].AttachPass(left(2)))
	must(t, p.nodes["inner"].AttachPass(right(3)))
	for _, v6 := range []bool{false, true} {
		p.routes(v6)
	}
	dir, err := l.BPFFS()
	must(t, err)
	p.load(filepath.Join(dir, "weir"))
	return p
}

// join makes the link before the node of this number.
func (p *path) join(l *lab.Lab, link int) {
	p.Helper()
	a, b := p.nodes[nodes()[link-1]], p.nodes[nodes()[link]]
	end := func(n *lab.Node, name string, at int) lab.End {
		return lab.End{Node: n, Name: name, Addr: netip.PrefixFrom(linkAddr(link, at, false), 24)}
	}
	must(p, l.Link(end(a, left(link), 1), end(b, right(link), 2)))
	for _, e := range []struct {
		node *lab.Node
		name string
		at   int
	}{{a, left(link), 1}, {b, right(link), 2}} {
		must(p, e.node.Sysctl("net.ipv6.conf."+e.name+".disable_ipv6", "0"))
		must(p, e.node.AddAddr(e.name, netip.PrefixFrom(linkAddr(link, e.at, true), 64)))
	}
}

// routes lead from each node to both ends, and from outside to the VIP by way of the gateway.
func (p *path) routes(v6 bool) {
	p.Helper()
	all := netip.PrefixFrom(vip(v6), vip(v6).BitLen())
	for i, name := range nodes() {
		for link := 1; link <= links; link++ {
			switch {
			case link < i:
				must(p, p.nodes[name].Route(linkNet(link, v6), linkAddr(i, 1, v6)))
			case link > i+1:
				must(p, p.nodes[name].Route(linkNet(link, v6), linkAddr(i+1, 2, v6)))
			}
		}
		if i < 2 {
			must(p, p.nodes[name].Route(all, linkAddr(i+1, 2, v6)))
		} else if i > 2 {
			must(p, p.nodes[name].Route(all, linkAddr(i, 1, v6)))
		}
	}
}

func (p *path) load(dir string) {
	p.Helper()
	must(p, p.nodes["gateway"].Do(func() (err error) {
		p.maps, err = loader.Load(loader.Config{
			Dir: dir, Interfaces: []string{right(2), left(3)}, IPv6: true, Flows: 5000, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			return err
		}
		return p.maps.Attach()
	}))
	p.Cleanup(func() { must(p, p.maps.Close()); must(p, loader.Remove(dir)) })
	must(p, maps.WriteParameters(p.maps.Maps, p.maps.Clock, maps.Limits{ErrorsPerSecond: 1000}, maps.Timeouts{
		TCP: time.Hour, Opening: time.Minute, Closing: time.Minute, UDP: time.Minute,
	}))
	var services []maps.Service
	for _, v6 := range []bool{false, true} {
		for _, protocol := range []uint8{maps.TCP, maps.UDP} {
			services = append(services, maps.Service{VIP: netip.AddrPortFrom(vip(v6), vipPort), Protocol: protocol})
		}
	}
	steering, err := maps.OpenSteering(p.maps.Maps, services)
	must(p, err)
	p.Cleanup(func() { must(p, steering.Close()) })
	for _, s := range services {
		at := netip.AddrPortFrom(linkAddr(links, 2, s.VIP.Addr().Is6()), serverPort)
		must(p, steering.Apply(s, []maps.Element{{PE: 1, Addr: at, Weight: 1, State: maps.Active}}))
	}
}

// narrow gives one end of a link an MTU: what goes out there must fit.
func (p *path) narrow(node, name string, mtu int) {
	p.Helper()
	must(p, p.nodes[node].Do(func() error {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		return netlink.LinkSetMTU(l, mtu)
	}))
}

// counted is how many packets had this verdict.
func (p *path) counted(verdict string) uint64 {
	p.Helper()
	counts, err := maps.ReadCounts(p.maps.Maps)
	must(p, err)
	for _, c := range counts {
		if c.Name == verdict {
			return c.Packets
		}
	}
	p.Fatalf("no verdict %s", verdict)
	return 0
}
