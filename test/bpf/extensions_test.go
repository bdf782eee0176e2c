// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"fmt"
	"testing"

	"github.com/weir-lb/weir/test/packet"
)

// Where fields lie in an IPv6 frame without VLAN tags.
const (
	atLength6    = packet.OffsetIP + 4
	atNext6      = packet.OffsetIP + 6
	atExtension  = packet.OffsetIP + 40
	atDoff6      = packet.OffsetTransport6 + 12
	atUDPLength6 = packet.OffsetTransport6 + 4
)

// Whatever lies between the IPv6 header and the ports is kept (RFC 8200 4).
func TestExtensionHeaders(t *testing.T) {
	f := newFixture(t)
	f.pool(web6(), element6)
	f.pool(dns6(), "[fd20::3]:5353")
	long := packet.Extension{Type: packet.Destination, Data: padN(254)}
	var specs []spec
	for _, tt := range []struct {
		name string
		list []packet.Extension
	}{
		{"hop-by-hop options", []packet.Extension{hopByHop()}},
		{"destination options", []packet.Extension{dstOpts()}},
		{"long destination options", []packet.Extension{long}},
		{"a routing header, at its end", []packet.Extension{routing(0)}},
		{"an authentication header", []packet.Extension{ah()}},
		{"a fragment header of a whole packet (RFC 6946)", []packet.Extension{atomic()}},
		{"all of them, in the order of RFC 8200 4.1", []packet.Extension{hopByHop(), dstOpts(), routing(0), atomic(), ah(), dstOpts()}},
		{"five long ones", []packet.Extension{long, long, long, long, long}},
	} {
		segment := fromClient(withExtensions(tcp(client6, vip6, syn, ""), tt.list...))
		datagram := fromClient(withExtensions(packet.NewUDP(client6, vipDNS6, []byte("query")), tt.list...))
		specs = append(specs,
			spec{"TCP behind " + tt.name, "cl", segment.Frame(), "steer_forward", redirect, toElement(segment, element6).Frame()},
			spec{"UDP behind " + tt.name, "cl", datagram.Frame(), "steer_forward", redirect, toElement(datagram, "[fd20::3]:5353").Frame()})
	}
	f.checkAll(t, specs)
}

func TestExtensionHeadersOnTheWayBack(t *testing.T) {
	f := newFixture(t)
	f.pool(web6(), element6)
	f.goes("SYN", tcp(client6, vip6, syn, ""), element6)
	f.returns("hop-by-hop options", withExtensions(tcp(element6, client6, synAck, ""), hopByHop()), vip6)
	f.returns("destination options", withExtensions(tcp(element6, client6, ack, "data"), dstOpts()), vip6)
	f.returns("a fragment header of a whole packet", withExtensions(tcp(element6, client6, ack, "data"), atomic()), vip6)
	f.returns("all of them", withExtensions(tcp(element6, client6, ack, "data"), hopByHop(), dstOpts(), routing(0), atomic(), ah(), dstOpts()), vip6)
	routed := fromElement(withExtensions(tcp(element6, client6, ack, "data"), routing(1)))
	f.check(spec{"on its way to somebody else first", "be", routed.Frame(), "not_ours", pass, nil})
}

// The kernel goes through any number of extension headers and VLAN tags, so that what is behind more than
// the program looks through must not reach it: it would get past the guard.
func TestUnreadable(t *testing.T) {
	f := newFixture(t)
	f.pool(web6(), element6)
	behind := func(n int) []packet.Extension {
		list := make([]packet.Extension, n)
		for i := range list {
			list[i] = dstOpts()
		}
		return list
	}
	to := func(dst string, n int) []byte {
		return fromClient(withExtensions(tcp(client6, dst, syn, ""), behind(n)...)).Frame()
	}
	endless := fromClient(withExtensions(tcp(client6, registrar6, syn, ""), hopByHop())).Frame()
	specs := []spec{
		{"six headers before a SYN for the registrar", "cl", to(registrar6, 6), "guard_newcomer", pass, nil},
		{"seven headers before a SYN for the registrar", "cl", to(registrar6, 7), "unreadable", drop, nil},
		{"seven headers before one for a service", "cl", to(vip6, 7), "unreadable", drop, nil},
		{"seven headers before one for another host", "cl", to("[fd20::1]:80", 7), "unreadable", drop, nil},
		{"twenty headers", "cl", to(registrar6, 20), "unreadable", drop, nil},
		// Linux takes the frame's length for a packet's whose length is 0, which jumbograms have (RFC 2675 3).
		{"no length, before hop-by-hop options", "cl", edit(endless, atLength6, 0, 0), "unreadable", drop, nil},
		{"no length, before anything else", "cl", edit(to(registrar6, 1), atLength6, 0, 0), "malformed", pass, nil},
	}
	for _, n := range families() {
		for _, tags := range []int{3, 5} {
			// Linux takes off any number of tags of VLAN 0, one in another.
			tagged := fromClient(tcp(n.client, n.registrar, syn, "").Tagged(make([]uint16, tags)...))
			specs = append(specs, spec{fmt.Sprintf("%d VLAN tags, %s", tags, n.name), "cl", tagged.Frame(), "unreadable", drop, nil})
		}
	}
	f.checkAll(t, specs)
}

// A packet that has to go to other places yet is not the VIP's: its checksum is made for the last one
// (RFC 8200 8.1), and no VIP passes packets on (4.4).
func TestSegmentsLeft(t *testing.T) {
	f := newFixture(t)
	f.pool(web6(), element6)
	routed := func(dst string) []byte {
		return fromClient(withExtensions(tcp(client6, dst, syn, ""), routing(1))).Frame()
	}
	f.checkAll(t, []spec{
		{"by way of a VIP", "cl", routed(vip6), "steer_malformed", drop, nil},
		{"by way of the registrar", "cl", routed(registrar6), "guard_malformed", drop, nil},
		{"by way of another host", "cl", routed("[fd20::1]:80"), "not_ours", pass, nil},
	})
}

func TestMalformed6(t *testing.T) {
	f := newFixture(t)
	f.pool(web6(), element6)
	f.pool(dns6(), "[fd20::3]:5353")
	segment := fromClient(tcp(client6, vip6, ack, "payload")).Frame()
	datagram := fromClient(packet.NewUDP(client6, vipDNS6, []byte("payload"))).Frame()
	extended := func(e packet.Extension) []byte {
		return fromClient(withExtensions(tcp(client6, vip6, ack, "payload"), e)).Frame()
	}
	later := fromClient(packet.New(packet.TCP, client6, vip6))
	later.FragmentOffset = 4
	length := func(frame []byte, n int) []byte { return edit(frame, atLength6, byte(n>>8), byte(n)) }
	udp := func(n int) []byte { return edit(datagram, atUDPLength6, byte(n>>8), byte(n)) }
	longer := append(datagram, make([]byte, 12)...)
	f.checkAll(t, []spec{
		{"IP version 4 in an IPv6 frame", "cl", edit(segment, packet.OffsetIP, 0x45), "malformed", pass, nil},
		{"length beyond the frame", "cl", length(segment, 28), "malformed", pass, nil},
		{"the greatest length", "cl", length(segment, 0xffff), "malformed", pass, nil},
		{"no length", "cl", length(segment, 0), "malformed", pass, nil},
		{"no room for ports", "cl", length(segment, 3), "malformed", pass, nil},
		{"TCP: only the ports", "cl", length(segment, 4), "steer_malformed", drop, nil},
		{"TCP: a byte short of a header", "cl", length(segment, 19), "steer_malformed", drop, nil},
		{"TCP header of 16 bytes", "cl", edit(segment, atDoff6, 0x40), "steer_malformed", drop, nil},
		{"TCP header of none", "cl", edit(segment, atDoff6, 0), "steer_malformed", drop, nil},
		{"TCP header longer than the segment", "cl", edit(segment, atDoff6, 0x70), "steer_malformed", drop, nil},
		{"UDP: only the ports", "cl", length(datagram, 4), "steer_malformed", drop, nil},
		{"UDP: the header is Ethernet's padding", "cl", length(longer, 7), "steer_malformed", drop, nil},
		{"UDP length 0", "cl", udp(0), "steer_malformed", drop, nil},
		{"UDP length below the header's", "cl", udp(7), "steer_malformed", drop, nil},
		{"UDP length beyond the packet", "cl", udp(16), "steer_malformed", drop, nil},
		{"UDP length beyond the packet, within the frame", "cl", edit(longer, atUDPLength6, 0, 16), "steer_malformed", drop, nil},
		{"an extension header beyond the packet", "cl", edit(extended(dstOpts()), atExtension+1, 4), "malformed", pass, nil},
		{"the longest extension header", "cl", edit(extended(dstOpts()), atExtension+1, 255), "malformed", pass, nil},
		{"an authentication header beyond the packet", "cl", edit(extended(ah()), atExtension+1, 20), "malformed", pass, nil},
		{"an authentication header of 8 bytes", "cl", edit(extended(ah()), atExtension+1, 0), "malformed", pass, nil},
		{"an extension header in Ethernet's padding", "cl", length(extended(dstOpts()), 4), "malformed", pass, nil},
		{"an extension header that fills the packet", "cl", length(extended(dstOpts()), 8), "malformed", pass, nil},
		{"a fragment header in Ethernet's padding", "cl", length(later.Frame(), 7), "malformed", pass, nil},
		{"no next header", "cl", edit(segment, atNext6, 59), "not_ours", pass, nil},
		{"ESP", "cl", edit(segment, atNext6, 50), "not_ours", pass, nil},
		{"mobility", "cl", edit(segment, atNext6, 135), "not_ours", pass, nil},
		{"no next header behind options", "cl", edit(extended(dstOpts()), atExtension, 59), "not_ours", pass, nil},
	})
}
