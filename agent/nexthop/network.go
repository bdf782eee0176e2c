// SPDX-License-Identifier: Apache-2.0

package nexthop

import (
	"cmp"
	"math"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/maps"
)

// network is what the kernel's tables said when they were read. It does not change.
type network struct {
	links  map[int]link
	ours   map[int]bool // the interfaces that may be a hop's
	v4, v6 table
}

// table answers for one family.
type table struct {
	ways    map[netip.Prefix]way
	lengths []int // that prefixes have, the longest first
}

// way is where packets to a prefix go. The zero value says that the kernel is to be asked.
type way struct {
	out int
	via netip.Addr // the zero value: the destination itself is the neighbour
	mtu uint16
}

// newNetwork understands what the tables hold.
func newNetwork(t tables, ours map[int]bool) *network {
	n := &network{links: t.links, ours: ours}
	if t.plainRules(unix.AF_INET) && n.allForward(func(l link) bool { return l.forwards }) {
		n.v4 = newTable(t.v4, func(r route) way { return n.way(r, func(l link) uint32 { return mtu4(l, r, t.pathMTU) }) })
	}
	if t.plainRules(unix.AF_INET6) && n.allForward(func(l link) bool { return l.forward6 }) {
		n.v6 = newTable(t.v6, func(r route) way { return n.way(r, func(l link) uint32 { return mtu6(l, r) }) })
	}
	return n
}

// allForward: of a packet that comes in where nothing is forwarded the kernel says so before it looks further.
func (n *network) allForward(forwards func(link) bool) bool {
	for index := range n.ours {
		if l, ok := n.links[index]; ok && !forwards(l) {
			return false
		}
	}
	return true
}

// plainRules says whether the family has no rules but the kernel's own: its own addresses first, then the
// main table. (Last, for IPv4, the default table, which is for what we have no answer for anyway.)
func (t *tables) plainRules(family uint8) bool {
	own := []rule{{0, unix.RT_TABLE_LOCAL, true}, {32766, unix.RT_TABLE_MAIN, true}}
	if family == unix.AF_INET {
		own = append(own, rule{32767, unix.RT_TABLE_DEFAULT, true})
	}
	rules := slices.SortedFunc(slices.Values(t.rules[family]), func(a, b rule) int { return cmp.Compare(a.priority, b.priority) })
	return slices.Equal(rules, own)
}

// way is the route's, if it leads out of one of our interfaces.
func (n *network) way(r route, mtu func(link) uint32) way {
	l, ok := n.links[r.out]
	if !r.plain || !ok || !l.usable || !n.ours[r.out] {
		return way{}
	}
	return way{out: r.out, via: r.via, mtu: uint16(min(mtu(l), math.MaxUint16))}
}

// mtu4 is that of the kernel's ip_mtu_from_fib_result: a route's own counts when it is locked, or if the
// kernel is configured to believe in paths when it forwards.
func mtu4(l link, r route, pathMTU bool) uint32 {
	if r.mtu != 0 && (r.locked || pathMTU) {
		return r.mtu
	}
	return l.mtu
}

// mtu6 is that of the kernel's ip6_mtu_from_fib6.
func mtu6(l link, r route) uint32 {
	if r.mtu != 0 && r.locked {
		return r.mtu
	}
	return max(l.mtu6, 1280) // RFC 8200 5
}

// newTable decides for each prefix that a route has.
func newTable(routes []route, decide func(route) way) table {
	t := table{ways: map[netip.Prefix]way{}}
	slices.SortStableFunc(routes, func(a, b route) int {
		return cmp.Or(a.prefix.Compare(b.prefix), cmp.Compare(b.table, a.table), cmp.Compare(a.priority, b.priority))
	})
	lengths := map[int]bool{}
	for first := 0; first < len(routes); {
		next := first + 1
		for next < len(routes) && routes[next].prefix == routes[first].prefix {
			next++
		}
		t.ways[routes[first].prefix] = best(routes[first:next], decide)
		lengths[routes[first].prefix.Bits()] = true
		first = next
	}
	for bits := range lengths {
		t.lengths = append(t.lengths, bits)
	}
	slices.SortFunc(t.lengths, func(a, b int) int { return b - a })
	t.yieldToLocal(routes)
	return t
}

// best is the way of the first of a prefix's routes, which is the one with the lowest metric, if all packets
// take that one.
func best(routes []route, decide func(route) way) way {
	if slices.ContainsFunc(routes, func(r route) bool { return r.special }) {
		return way{}
	}
	if len(routes) > 1 && routes[1].priority == routes[0].priority {
		return way{}
	}
	return decide(routes[0])
}

// yieldToLocal: the kernel's own table is looked up first, unless nobody ever had rules of his own, when it
// is one with the main table. So nothing is said about what is inside a prefix of it.
func (t *table) yieldToLocal(routes []route) {
	local, lengths := map[netip.Prefix]bool{}, map[int]bool{}
	for _, r := range routes {
		if r.table == unix.RT_TABLE_LOCAL {
			local[r.prefix], lengths[r.prefix.Bits()] = true, true
		}
	}
	for prefix := range t.ways {
		for bits := range lengths {
			cover, err := prefix.Addr().Prefix(bits)
			if err == nil && bits < prefix.Bits() && local[cover] {
				t.ways[prefix] = way{}
			}
		}
	}
}

// find is the way of the longest prefix that an address is in.
func (t *table) find(addr netip.Addr) way {
	for _, bits := range t.lengths {
		prefix, err := addr.Prefix(bits)
		if err != nil {
			return way{}
		}
		if w, ok := t.ways[prefix]; ok {
			return w
		}
	}
	return way{}
}

func (n *network) table(addr netip.Addr) *table {
	if addr.Is4() {
		return &n.v4
	}
	return &n.v6
}

// neighbor is whom packets to an address are sent to; false: nobody that we know of.
func (n *network) neighbor(addr netip.Addr) (target, way, bool) {
	w := n.table(addr).find(addr)
	if w.out == 0 {
		return target{}, w, false
	}
	if w.via.IsValid() {
		return target{w.out, w.via}, w, true
	}
	return target{w.out, addr}, w, true
}

// hop is that of a way whose neighbour is known; none if it is not resolved.
func (n *network) hop(w way, to neighbor) maps.Hop {
	if !to.resolved() {
		return maps.Hop{}
	}
	return maps.Hop{Interface: uint32(w.out), To: to.mac, From: n.links[w.out].mac, MTU: w.mtu}
}
