// SPDX-License-Identifier: Apache-2.0

package nexthop

import (
	"cmp"
	stdmaps "maps"
	"math/bits"
	"net/netip"
	"slices"

	"github.com/weir-lb/weir/maps"
)

// maxDistinct is how many prefixes with different ways are looked at. With more, the kernel is asked.
const maxDistinct = 1024

// uplinks are the ways to all addresses of a family as a short list, of which the first that an address is
// in counts. Where there are more ways than fit, the kernel is asked for some of them.
func (n *network) uplinks(t *table, neighbors map[target]neighbor) []maps.Uplink {
	list := make([]maps.Uplink, 0, len(t.ways))
	for prefix, w := range t.ways {
		hop := n.hop(w, neighbors[target{w.out, w.via}]) // without a router none: each host is its own neighbour
		list = append(list, maps.Uplink{Prefix: prefix, Hop: hop})
	}
	slices.SortFunc(list, func(a, b maps.Uplink) int { return a.Prefix.Compare(b.Prefix) })
	return shorten(prune(list))
}

// routers are those that lead to clients, of the shortest prefixes if there are more than maxRouters.
func (n *network) routers() map[target]bool {
	all := map[target]bool{}
	for _, t := range []*table{&n.v4, &n.v6} {
		prefixes := slices.SortedFunc(stdmaps.Keys(t.ways), func(a, b netip.Prefix) int { return cmp.Or(cmp.Compare(a.Bits(), b.Bits()), a.Compare(b)) })
		for _, prefix := range prefixes {
			if w := t.ways[prefix]; w.via.IsValid() && len(all) < maxRouters {
				all[target{w.out, w.via}] = true
			}
		}
	}
	return all
}

// prune leaves out what has the way of the prefix around it. The list is in the order of addresses, with a
// prefix before those in it, and stays so.
func prune(list []maps.Uplink) []maps.Uplink {
	kept := list[:0]
	var around []maps.Uplink
	for _, up := range list {
		for len(around) > 0 && !around[len(around)-1].Prefix.Contains(up.Prefix.Addr()) {
			around = around[:len(around)-1]
		}
		outer := maps.Hop{} // of what is in no prefix
		if len(around) > 0 {
			outer = around[len(around)-1].Hop
		}
		if up.Hop != outer {
			kept, around = append(kept, up), append(around, up)
		}
	}
	return kept
}

// shorten makes a pruned list as short as it must be, and puts the longest prefixes first. What is left out
// is in a prefix for which the kernel is asked: the smallest that holds two of the list, again and again.
func shorten(list []maps.Uplink) []maps.Uplink {
	if len(list) > maxDistinct {
		return nil
	}
	for len(list) > maps.MaxUplinks {
		var asked netip.Prefix
		for i := range list[1:] {
			if p := common(list[i].Prefix, list[i+1].Prefix); !asked.IsValid() || p.Bits() > asked.Bits() {
				asked = p
			}
		}
		if asked.Bits() == 0 {
			return nil
		}
		at := slices.IndexFunc(list, func(up maps.Uplink) bool { return asked.Contains(up.Prefix.Addr()) && up.Prefix.Bits() >= asked.Bits() })
		list = slices.DeleteFunc(list, func(up maps.Uplink) bool {
			return asked.Contains(up.Prefix.Addr()) && up.Prefix.Bits() >= asked.Bits()
		})
		list = prune(slices.Insert(list, at, maps.Uplink{Prefix: asked}))
	}
	slices.SortStableFunc(list, func(a, b maps.Uplink) int { return cmp.Compare(b.Prefix.Bits(), a.Prefix.Bits()) })
	return list
}

// common is the longest prefix that holds two others of a family.
func common(a, b netip.Prefix) netip.Prefix {
	x, y := a.Addr().AsSlice(), b.Addr().AsSlice()
	n := min(a.Bits(), b.Bits())
	for i := range x {
		if differ := x[i] ^ y[i]; differ != 0 {
			n = min(n, 8*i+bits.LeadingZeros8(differ))
			break
		}
	}
	return netip.PrefixFrom(a.Addr(), n).Masked()
}
