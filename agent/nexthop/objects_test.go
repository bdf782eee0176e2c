// SPDX-License-Identifier: Apache-2.0

package nexthop

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/maps"
)

// Of linux/nexthop.h and linux/rtnetlink.h.
const (
	nhaID      = 1
	nhaGroup   = 2
	nhaOIF     = 5
	nhaGateway = 6
	rtaNHID    = 30
)

func attribute(kind int, value []byte) []byte { return nl.NewRtAttr(kind, value).Serialize() }

// object makes or replaces a next hop as routing daemons do, which routes then name.
func object(t *testing.T, k *kernel, family uint8, id uint32, attributes ...[]byte) {
	t.Helper()
	m := []byte{family, 0, unix.RTPROT_STATIC, 0, 0, 0, 0, 0} // struct nhmsg
	m = append(m, attribute(nhaID, nl.Uint32Attr(id))...)
	for _, a := range attributes {
		m = append(m, a...)
	}
	must(t, k.request(unix.RTM_NEWNEXTHOP, unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_REPLACE, m, 0, nil))
}

func (g *gateway) by(n int) []byte {
	return append(attribute(nhaOIF, nl.Uint32Attr(uint32(g.index(n)))), attribute(nhaGateway, []byte{10, 0, byte(n), 1})...)
}

// Routes of routing daemons name next hops that are objects of their own: one that leads to one router is
// followed when it is replaced, one of a group is the kernel's.
func TestNextHopObjects(t *testing.T) {
	g := newGateway(t)
	k, o := g.openKernel(), newOracle(t)
	prefix, dst := netip.MustParsePrefix("10.9.0.0/16"), addrOf("10.9.0.1")
	object(t, k, unix.AF_INET, 1, g.by(1))
	object(t, k, unix.AF_INET, 2, g.by(2))
	m := []byte{unix.AF_INET, byte(prefix.Bits()), 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, 0, unix.RTN_UNICAST, 0, 0, 0, 0}
	m = append(append(m, attribute(unix.RTA_DST, prefix.Addr().AsSlice())...), attribute(rtaNHID, nl.Uint32Attr(1))...)
	must(t, k.request(unix.RTM_NEWROUTE, unix.NLM_F_ACK|unix.NLM_F_CREATE, m, 0, nil))
	r := g.run(dst)
	is := func(want maps.Hop) func(*Answer) bool {
		want.Router = want != maps.Hop{}
		return func(a *Answer) bool { return a.Hops[dst] == want }
	}
	r.await("one router", is(g.wantHop(1)))
	object(t, k, unix.AF_INET, 1, g.by(2))
	r.await("another", is(g.wantHop(2)))
	if want := o.ask(g, g.index(3), dst); want != g.wantHop(2) {
		t.Errorf("the kernel's hop is %+v", want)
	}
	members := make([]byte, 16) // two of struct nexthop_grp
	binary.NativeEndian.PutUint32(members, 1)
	binary.NativeEndian.PutUint32(members[8:], 2)
	object(t, k, unix.AF_UNSPEC, 3, attribute(nhaGroup, members))
	binary.NativeEndian.PutUint32(m[len(m)-4:], 3)
	must(t, k.request(unix.RTM_NEWROUTE, unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_REPLACE, m, 0, nil))
	r.await("a group", is(maps.Hop{}))
}

// An IPv6 router's address may be good on its link only, and the same on others.
func TestRouterByLinkLocalAddress(t *testing.T) {
	g := newGateway(t)
	local, dst := addrOf("fe80::77"), addrOf("2001:db8:99::1")
	for n := 1; n <= 2; n++ {
		g.neighbor(n, local, byte(n), netlink.NUD_PERMANENT)
	}
	r := g.run(dst)
	for n := 1; n <= 2; n++ {
		g.inside(func() error {
			return netlink.RouteReplace(&netlink.Route{Dst: ipNet(netip.MustParsePrefix("2001:db8:99::/48")), Gw: local.AsSlice(), LinkIndex: g.index(n)})
		})
		r.await("the router", func(a *Answer) bool {
			return a.Hops[dst].Interface == uint32(g.index(n)) && a.Hops[dst].To == [6]byte{2, 0, 0, 1, byte(n), byte(n)}
		})
	}
}
