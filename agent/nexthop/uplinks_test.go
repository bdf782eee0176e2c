// SPDX-License-Identifier: Apache-2.0

package nexthop

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/weir-lb/weir/maps"
)

// by is a way of a test: by router 1, 2 …, or 0, of which the kernel is asked.
func by(prefix string, router uint32) maps.Uplink {
	return maps.Uplink{Prefix: netip.MustParsePrefix(prefix), Hop: maps.Hop{Interface: router}}
}

func sorted(list []maps.Uplink) []maps.Uplink {
	slices.SortFunc(list, func(a, b maps.Uplink) int { return a.Prefix.Compare(b.Prefix) })
	return list
}

func TestWaysToClients(t *testing.T) {
	racks := []maps.Uplink{by("0.0.0.0/0", 1)}
	for n := range 12 {
		racks = append(racks, by(fmt.Sprintf("10.0.%d.0/24", n), 0))
	}
	for _, c := range []struct {
		name       string
		list, want []maps.Uplink
	}{
		{"none", nil, nil},
		{"a default route, and a network on the link", []maps.Uplink{by("0.0.0.0/0", 1), by("10.0.0.0/24", 0)}, []maps.Uplink{by("10.0.0.0/24", 0), by("0.0.0.0/0", 1)}},
		{"no default route", []maps.Uplink{by("10.0.0.0/24", 0), by("10.64.0.0/10", 1)}, []maps.Uplink{by("10.64.0.0/10", 1)}},
		{"the same way twice", []maps.Uplink{by("0.0.0.0/0", 1), by("10.0.0.0/8", 1), by("10.1.0.0/16", 1)}, []maps.Uplink{by("0.0.0.0/0", 1)}},
		{"another way between", []maps.Uplink{by("0.0.0.0/0", 1), by("10.0.0.0/8", 2), by("10.1.0.0/16", 1)},
			[]maps.Uplink{by("10.1.0.0/16", 1), by("10.0.0.0/8", 2), by("0.0.0.0/0", 1)}},
		{"many networks side by side", racks, []maps.Uplink{by("10.0.10.0/24", 0), by("10.0.11.0/24", 0), by("10.0.0.0/23", 0),
			by("10.0.2.0/23", 0), by("10.0.4.0/23", 0), by("10.0.6.0/23", 0), by("10.0.8.0/23", 0), by("0.0.0.0/0", 1)}},
		{"IPv6", []maps.Uplink{by("::/0", 1), by("2001:db8::/32", 0)}, []maps.Uplink{by("2001:db8::/32", 0), by("::/0", 1)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := shorten(prune(sorted(slices.Clone(c.list))))
			if !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// inside: what a list says is what the other one says.
func inside(short, all []maps.Uplink) bool {
	for _, up := range slices.Concat(short, all) {
		addr := up.Prefix.Addr()
		if got := first(short, addr); got.Interface != 0 && got != longest(all, addr) {
			return false
		}
	}
	return len(short) <= maps.MaxUplinks
}

// longest is the way of the longest prefix that an address is in.
func longest(list []maps.Uplink, addr netip.Addr) maps.Hop {
	best := maps.Uplink{Prefix: netip.PrefixFrom(addr, 0)}
	for _, up := range list {
		if up.Prefix.Contains(addr) && up.Prefix.Bits() >= best.Prefix.Bits() {
			best = up
		}
	}
	return best.Hop
}

// However many ways there are, the few that are told are right; and some are told.
func TestFewOfManyWays(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	told := 0
	for range 300 {
		ways := map[netip.Prefix]maps.Uplink{}
		for range 1 + r.IntN(60) {
			p, _ := netip.AddrFrom4([4]byte{byte(r.IntN(4)) << 6, byte(r.IntN(4)), byte(r.IntN(4)) << 5, byte(r.IntN(256))}).Prefix(r.IntN(33))
			ways[p] = maps.Uplink{Prefix: p, Hop: maps.Hop{Interface: uint32(r.IntN(3))}}
		}
		var all []maps.Uplink
		for _, up := range ways {
			all = append(all, up)
		}
		short := shorten(prune(sorted(slices.Clone(all))))
		told += len(short)
		if !inside(short, all) {
			t.Fatalf("seed %#x: %v is made of %v", seed, short, all)
		}
		for range 200 {
			addr := netip.AddrFrom4([4]byte{byte(r.IntN(4)) << 6, byte(r.IntN(4)), byte(r.IntN(256)), byte(r.IntN(256))})
			if got := first(short, addr); got.Interface != 0 && got != longest(all, addr) {
				t.Fatalf("seed %#x: the way to %s is %+v, of %v", seed, addr, got, all)
			}
		}
	}
	if told < 300 {
		t.Errorf("only %d ways are told", told)
	}
	many := []maps.Uplink{by("0.0.0.0/0", 1)}
	for n := range maxDistinct {
		many = append(many, by(fmt.Sprintf("10.%d.%d.0/24", n>>8, n&255), uint32(2+n%2)))
	}
	if short := shorten(prune(sorted(many))); short != nil {
		t.Errorf("of more ways than are looked at there are %v", short)
	}
}
