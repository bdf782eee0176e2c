// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"testing"

	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/packet"
)

// family is the same network in one of the families, so that one row says what holds in both.
type family struct {
	name                 string
	client, other        string // other: another port of the client's
	vip, vip2, vipDNS    string
	element1, element2   string
	resolver             string // the element of vipDNS
	host                 string // an address behind the gateway that is none of ours, with a port
	silent, narrow       string // elements without a resolved neighbour, and with a small MTU
	elsewhere, nowhere   string // elements behind an interface that is not ours, and without a route
	registrar            string
	web, web2, dns, lite maps.Service
	sctp, dccp           maps.Service // at vipDNS
	headers              int          // bytes of IP and TCP headers without options
	smallest             int          // the MTU of narrow
}

func families() []family {
	return []family{{
		name: "IPv4", client: client, other: "10.64.0.1:40001", vip: vip, vip2: vip2, vipDNS: vipDNS, element1: element1, element2: element2,
		resolver: "10.0.20.3:5353", host: "10.0.20.1:80", silent: "10.0.20.99:80", narrow: "10.0.20.50:80", elsewhere: "10.0.30.1:80",
		nowhere: "10.200.0.1:80", registrar: registrar, web: web(), web2: web2(), dns: dns(), lite: lite(), sctp: sctp(), dccp: dccp(), headers: 40, smallest: 600,
	}, {
		name: "IPv6", client: client6, other: "[fd64::1]:40001", vip: vip6, vip2: vip62, vipDNS: vipDNS6, element1: element6, element2: element62,
		resolver: "[fd20::3]:5353", host: "[fd20::1]:80", silent: "[fd20::99]:80", narrow: "[fd20::50]:80", elsewhere: "[fd30::1]:80",
		nowhere: "[fd99::1]:80", registrar: registrar6, web: web6(), web2: web62(), dns: dns6(), lite: lite6(), sctp: sctp6(), dccp: dccp6(), headers: 60, smallest: 1280,
	}}
}

// inFamilies runs a test in each family, each time on a fixture that is as good as new.
func inFamilies(t *testing.T, test func(f *fixture, n family)) {
	for _, n := range families() {
		t.Run(n.name, func(t *testing.T) { test(newFixture(t), n) })
	}
}

// serve gives the family's services an element each.
func (f *fixture) serve(n family) {
	f.Helper()
	f.pool(n.web, n.element1)
	f.pool(n.dns, n.resolver)
	f.pool(n.lite, n.resolver)
	f.pool(n.sctp, n.resolver)
	f.pool(n.dccp, n.resolver)
}

// inBothWays runs a test when the kernel is asked for next hops, and when the agent has said them.
func (f *fixture) inBothWays(t *testing.T, n family, test func(f *fixture)) {
	t.Run("asked", func(t *testing.T) {
		sub := *f
		sub.TB = t
		test(&sub)
	})
	t.Run("known", func(t *testing.T) {
		sub := *f
		sub.TB = t
		sub.forget()
		for _, s := range []maps.Service{n.web, n.dns, n.lite, n.sctp, n.dccp} {
			sub.hops(s)
		}
		test(&sub)
	})
}

// udpLite is a datagram whose checksum covers so many bytes.
func udpLite(src, dst string, coverage uint16, payload string) packet.Packet {
	p := packet.New(packet.UDPLite, src, dst)
	p.Coverage, p.Payload = coverage, []byte(payload)
	return p
}

// withExtensions is the packet with these extension headers.
func withExtensions(p packet.Packet, list ...packet.Extension) packet.Packet {
	p.Extensions = list
	return p
}

// Extension headers without anything that matters.
func hopByHop() packet.Extension { return packet.Extension{Type: packet.HopByHop, Data: padN(6)} }
func dstOpts() packet.Extension  { return packet.Extension{Type: packet.Destination, Data: padN(6)} }
func ah() packet.Extension       { return packet.Extension{Type: packet.AH, Data: make([]byte, 22)} }
func atomic() packet.Extension   { return packet.Extension{Type: packet.Fragment} }

// routing is a routing header of type 2 (RFC 6275 6.4) with so many segments left.
func routing(left byte) packet.Extension {
	return packet.Extension{Type: packet.Routing, Data: append([]byte{2, left}, make([]byte, 20)...)}
}

// padN are options that fill so many bytes (RFC 8200 4.2).
func padN(n int) []byte { return append([]byte{1, byte(n - 2)}, make([]byte, n-2)...) }
