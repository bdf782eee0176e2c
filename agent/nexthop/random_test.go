// SPDX-License-Identifier: Apache-2.0

package nexthop

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/maps"
)

// world makes random tables in a gateway.
type world struct {
	*gateway
	r     *rand.Rand
	gone  []func() error // takes back what was made
	plain bool           // nothing but routes by routers and on links
}

// address is one of few, so that prefixes meet.
func (w *world) address(v6 bool) netip.Addr {
	n := byte(1 + w.r.IntN(interfaces+2)) // in the last two there is no interface
	x, y := byte(w.r.IntN(4))<<6, byte(w.r.IntN(4)*77)
	if v6 {
		return netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb8, 0, n, 0, x, 14: 0, 15: y})
	}
	return netip.AddrFrom4([4]byte{10, byte(w.r.IntN(2)), n, x | y&63})
}

// router is one in an interface's network.
func (w *world) router(n int, v6 bool) netip.Addr {
	if last := byte(1 + w.r.IntN(3)); !v6 {
		return netip.AddrFrom4([4]byte{10, 0, byte(n), last})
	} else {
		return netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb8, 5: byte(n), 15: last})
	}
}

func (w *world) prefix(v6 bool) netip.Prefix {
	lengths := []int{0, 7, 8, 15, 16, 22, 24, 26, 32}
	if v6 {
		lengths = []int{0, 3, 32, 46, 48, 58, 64, 127, 128}
	}
	p, err := w.address(v6).Prefix(lengths[w.r.IntN(len(lengths))])
	must(w.T, err)
	return p
}

func (w *world) hop(v6 bool) *netlink.NexthopInfo {
	n := 1 + w.r.IntN(interfaces)
	return &netlink.NexthopInfo{LinkIndex: w.index(n), Gw: w.router(n, v6).AsSlice()}
}

// route is mostly one by a router.
func (w *world) route(v6 bool) netlink.Route {
	h := w.hop(v6)
	r := netlink.Route{Dst: ipNet(w.prefix(v6)), LinkIndex: h.LinkIndex, Gw: h.Gw, Priority: []int{0, 0, 0, 10, 20, 1024}[w.r.IntN(6)]}
	kind := w.r.IntN(16)
	if w.plain {
		kind = w.r.IntN(8)
	}
	switch kind {
	case 6: // on the link
		r.Gw = nil
		if !v6 {
			r.Scope = netlink.SCOPE_LINK
		}
	case 7:
		r.MTU, r.MTULock = 600+w.r.IntN(1500), w.r.IntN(2) == 0
		if v6 {
			r.MTU += 1280
		}
	case 8:
		r.Gw, r.LinkIndex, r.MultiPath = nil, 0, []*netlink.NexthopInfo{w.hop(v6), w.hop(v6)}
	case 9:
		r.Gw, r.LinkIndex = nil, 0
		r.Type = []int{unix.RTN_BLACKHOLE, unix.RTN_UNREACHABLE, unix.RTN_PROHIBIT, unix.RTN_THROW}[w.r.IntN(4)]
	case 10:
		if !v6 {
			r.Tos = 0x10
		}
	case 11:
		r.Table = 100
	case 12: // more of the gateway's own
		r.Gw, r.Type, r.Table, r.Scope = nil, unix.RTN_LOCAL, unix.RT_TABLE_LOCAL, netlink.SCOPE_HOST
	case 13:
		if v6 {
			r.Src = nil
		} else {
			v := w.hop(true)
			r.Gw, r.LinkIndex, r.Via = nil, v.LinkIndex, &netlink.Via{AddrFamily: unix.AF_INET6, Addr: v.Gw}
		}
	case 14:
		r.Table = unix.RT_TABLE_DEFAULT
	}
	return r
}

// fill makes new tables; what the kernel refuses is left out.
func (w *world) fill(routes int) {
	w.Helper()
	states := []int{netlink.NUD_PERMANENT, netlink.NUD_STALE, netlink.NUD_REACHABLE, netlink.NUD_NOARP, netlink.NUD_PERMANENT, netlink.NUD_STALE, netlink.NUD_FAILED}
	for n := 1; n <= interfaces; n++ {
		for range 4 {
			v6 := w.r.IntN(2) == 0
			w.neighbor(n, w.router(n, v6), byte(w.r.IntN(256)), states[w.r.IntN(len(states))])
			w.neighbor(n, w.address(v6), byte(w.r.IntN(256)), states[w.r.IntN(len(states))])
		}
	}
	w.inside(func() error {
		for range routes {
			r := w.route(w.r.IntN(2) == 0)
			if netlink.RouteAppend(&r) == nil {
				w.gone = append(w.gone, func() error { return netlink.RouteDel(&r) })
			}
		}
		return nil
	})
	if w.plain || w.r.IntN(6) > 0 {
		return
	}
	rule := netlink.NewRule()
	rule.Priority, rule.Table, rule.Family = 1000, 100, []int{unix.AF_INET, unix.AF_INET6}[w.r.IntN(2)]
	w.inside(func() error { return netlink.RuleAdd(rule) })
	w.gone = append(w.gone, func() error { return netlink.RuleDel(rule) })
}

// empty takes everything back, in the order in which it was made, as routes to one prefix may be alike.
func (w *world) empty() {
	w.Helper()
	w.inside(func() error {
		for _, undo := range w.gone {
			_ = undo() // what went with something else is gone already
		}
		for n := 1; n <= interfaces; n++ {
			list, err := netlink.NeighList(w.index(n), 0)
			if err != nil {
				return err
			}
			for _, neigh := range list {
				_ = netlink.NeighDel(&neigh)
			}
		}
		return nil
	})
	w.gone = nil
}

// Whatever the tables are, a hop that is known is the kernel's, of an element as of a client. And of what the
// kernel would send out of our interfaces most is known when the tables hold nothing odd.
func TestHopsAreTheKernels(t *testing.T) {
	const rounds, questions, routes = 60, 60, 12
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	w := &world{gateway: newGateway(t), r: rand.New(rand.NewPCG(seed, 0))}
	k, o := w.openKernel(), newOracle(t)
	var ours, known, byUplink int
	for round := range rounds {
		w.plain = round%2 == 0
		w.fill(routes)
		network, neighbors := w.snapshot(k)
		v4, v6 := network.uplinks(&network.v4, neighbors), network.uplinks(&network.v6, neighbors)
		for range questions {
			v6Too := w.r.IntN(2) == 0
			dst, ways := w.address(v6Too), v4
			if v6Too {
				ways = v6
			}
			want := o.ask(w.gateway, w.index(1+w.r.IntN(interfaces-1)), dst)
			if got := answer(network, neighbors, dst); got.Interface != 0 && got != want {
				t.Errorf("round %d: the hop to element %s is %+v, the kernel's %+v", round, dst, got, want)
			} else if w.plain && network.ours[int(want.Interface)] {
				ours++
				if got.Interface != 0 {
					known++
				}
			}
			if got := first(ways, dst); got.Interface != 0 {
				byUplink++
				if got != want {
					t.Errorf("round %d: the hop to client %s is %+v, the kernel's %+v", round, dst, got, want)
				}
			}
		}
		if t.Failed() {
			w.inside(func() error { return show(t) })
			return
		}
		w.empty()
	}
	t.Logf("%d questions: of %d by our interfaces %d are known; %d by ways to clients", rounds*questions, ours, known, byUplink)
	if ours < questions || known < ours/2 || byUplink < questions {
		t.Error("too little is known for this to say much")
	}
}

// show prints the tables that something is wrong with.
func show(t *testing.T) error {
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{}, netlink.RT_FILTER_TABLE)
	for _, r := range routes {
		t.Logf("table %d %v", r.Table, r)
	}
	return err
}

func first(ways []maps.Uplink, addr netip.Addr) maps.Hop {
	for _, up := range ways {
		if up.Prefix.Contains(addr) {
			return up.Hop
		}
	}
	return maps.Hop{}
}
