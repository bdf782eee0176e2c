// SPDX-License-Identifier: Apache-2.0

package nexthop

import (
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Each kind of route: whether a hop is known, which then is the kernel's.
func TestHopByKindOfRoute(t *testing.T) {
	g := newGateway(t)
	k, o := g.openKernel(), newOracle(t)
	for n := 1; n <= interfaces; n++ {
		g.neighbor(n, netip.AddrFrom4([4]byte{10, 0, byte(n), 1}), 1, netlink.NUD_STALE)
		g.neighbor(n, netip.MustParseAddr("2001:db8:"+string(rune('0'+n))+"::1"), 1, netlink.NUD_REACHABLE)
	}
	for n := 1; n <= 2; n++ {
		g.neighbor(n, netip.MustParseAddr("2001:db8:9:1::1"), 2, netlink.NUD_STALE)
	}
	via := func(n int) net.IP { return net.IPv4(10, 0, byte(n), 1).To4() }
	via6 := func(n int) net.IP { return net.ParseIP("2001:db8:" + string(rune('0'+n)) + "::1") }
	hop := func(n int) *netlink.NexthopInfo { return &netlink.NexthopInfo{LinkIndex: g.index(n), Gw: via(n)} }
	v4, v6 := "10.9.1.0/24", "2001:db8:9:1::/64"
	for _, c := range []struct {
		name   string
		dst    string
		routes []netlink.Route
		rule   *netlink.Rule
		known  bool
	}{
		{name: "none", dst: v4},
		{name: "by a router", dst: v4, routes: []netlink.Route{{Gw: via(1)}}, known: true},
		{name: "by a router, IPv6", dst: v6, routes: []netlink.Route{{Gw: via6(1)}}, known: true},
		{name: "by an unresolved router", dst: v4, routes: []netlink.Route{{Gw: net.IPv4(10, 0, 1, 77)}}},
		{name: "on the link, to an unresolved host", dst: v4, routes: []netlink.Route{{LinkIndex: g.index(1), Scope: netlink.SCOPE_LINK}}},
		{name: "out of an interface that is not ours", dst: v4, routes: []netlink.Route{{Gw: via(interfaces)}}},
		{name: "the lower of two metrics", dst: v4, routes: []netlink.Route{{Gw: via(1), Priority: 20}, {Gw: via(2), Priority: 10}}, known: true},
		{name: "the lower of two metrics, IPv6", dst: v6, routes: []netlink.Route{{Gw: via6(1), Priority: 20}, {Gw: via6(2), Priority: 10}}, known: true},
		{name: "two links of one metric, IPv6", dst: "2001:db8:9:1::/127", routes: []netlink.Route{{LinkIndex: g.index(1)}, {LinkIndex: g.index(2)}}},
		{name: "one link, IPv6", dst: "2001:db8:9:1::/127", routes: []netlink.Route{{LinkIndex: g.index(1)}}, known: true},
		{name: "MTU that is not locked", dst: v4, routes: []netlink.Route{{Gw: via(1), MTU: 1400}}, known: true},
		{name: "MTU that is locked", dst: v4, routes: []netlink.Route{{Gw: via(1), MTU: 1400, MTULock: true}}, known: true},
		{name: "MTU that is locked, IPv6", dst: v6, routes: []netlink.Route{{Gw: via6(1), MTU: 1400, MTULock: true}}, known: true},
		{name: "several next hops", dst: v4, routes: []netlink.Route{{MultiPath: []*netlink.NexthopInfo{hop(1), hop(2)}}}},
		{name: "by type of service", dst: v4, routes: []netlink.Route{{Gw: via(1), Tos: 0x10}, {Gw: via(2)}}},
		{name: "refused", dst: v4, routes: []netlink.Route{{Type: unix.RTN_UNREACHABLE}}},
		{name: "dropped, IPv6", dst: v6, routes: []netlink.Route{{Type: unix.RTN_BLACKHOLE}}},
		{name: "thrown", dst: v4, routes: []netlink.Route{{Type: unix.RTN_THROW}}},
		{name: "ours", dst: v4, routes: []netlink.Route{{Type: unix.RTN_LOCAL, LinkIndex: g.index(1), Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_HOST}}},
		{name: "another table without a rule", dst: v4, routes: []netlink.Route{{Gw: via(1), Table: 100}}},
		{name: "another rule", dst: v4, routes: []netlink.Route{{Gw: via(1)}}, rule: &netlink.Rule{Priority: 100, Mark: 7, Table: 100, Family: unix.AF_INET}},
		{name: "another rule of the other family", dst: v4, routes: []netlink.Route{{Gw: via(1)}}, known: true,
			rule: &netlink.Rule{Priority: 100, Mark: 7, Table: 100, Family: unix.AF_INET6}},
		{name: "IPv4 by way of an IPv6 router", dst: v4, routes: []netlink.Route{{LinkIndex: g.index(1), Via: &netlink.Via{AddrFamily: unix.AF_INET6, Addr: via6(1)}}}, known: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			prefix := netip.MustParsePrefix(c.dst)
			g := &gateway{t, g.node, g.far, g.links}
			for _, r := range c.routes {
				r.Dst = ipNet(prefix)
				g.inside(func() error { return netlink.RouteAppend(&r) })
				t.Cleanup(func() { g.inside(func() error { return netlink.RouteDel(&r) }) })
			}
			if c.rule != nil {
				rule := netlink.NewRule()
				rule.Priority, rule.Mark, rule.Table, rule.Family = c.rule.Priority, c.rule.Mark, c.rule.Table, c.rule.Family
				g.inside(func() error { return netlink.RuleAdd(rule) })
				t.Cleanup(func() { g.inside(func() error { return netlink.RuleDel(rule) }) })
			}
			network, neighbors := g.snapshot(k)
			dst := prefix.Addr().Next()
			got, want := answer(network, neighbors, dst), o.ask(g, g.index(3), dst)
			if (got.Interface != 0) != c.known {
				t.Errorf("the hop to %s is %+v, known %v is wanted", dst, got, c.known)
			}
			if got.Interface != 0 && got != want {
				t.Errorf("the hop to %s is %+v, the kernel's %+v", dst, got, want)
			}
		})
	}
}
