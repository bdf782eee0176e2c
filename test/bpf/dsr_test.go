// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"net/netip"
	"testing"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/packet"
)

// unchanged is the client's packet as an element gets it under direct server return: for the VIP.
func unchanged(p packet.Packet, element string) packet.Packet {
	vip := p.Dst
	p = toElement(p, element)
	p.Dst = vip
	return p
}

// remains checks that the client's packet reaches the element as it is.
func (f *fixture) remains(what string, p packet.Packet, element string) {
	f.Helper()
	p = fromClient(p)
	f.check(spec{what, "cl", p.Frame(), "steer_forward", redirect, unchanged(p, element).Frame()})
}

func (f *fixture) direct(services ...maps.Service) {
	f.Helper()
	for _, s := range services {
		must(f, f.steering.Configure(s, maps.Options{Mode: maps.DSR}))
	}
}

func TestDSR(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		f.serve(n)
		f.direct(n.web, n.dns, n.lite)
		f.inBothWays(t, n, func(f *fixture) {
			f.remains("SYN", tcp(n.client, n.vip, syn, ""), n.element1)
			f.remains("ACK", tcp(n.client, n.vip, ack, ""), n.element1)
			f.remains("data", tcp(n.client, n.vip, ack, "data"), n.element1)
			f.remains("FIN", tcp(n.client, n.vip, fin|ack, ""), n.element1)
			f.remains("the last ACK", tcp(n.client, n.vip, ack, ""), n.element1)
			f.remains("a segment of no flow", tcp(n.other, n.vip, ack, "data"), n.element1)
			f.remains("a datagram", packet.NewUDP(n.client, n.vipDNS, []byte("query")), n.resolver)
			f.remains("a datagram without checksum", with(packet.NewUDP(n.client, n.vipDNS, nil), func(p *packet.Packet) { p.NoUDPChecksum = true }), n.resolver)
			f.remains("UDP-Lite", udpLite(n.client, n.vipDNS, 8, "query"), n.resolver)
			f.remains("the last hop but one", with(tcp(n.client, n.vip, ack, ""), func(p *packet.Packet) { p.TTL = 2 }), n.element1)
			f.passes("at the end of its life", with(tcp(n.client, n.vip, ack, ""), func(p *packet.Packet) { p.TTL = 1 }), "steer_ttl")
		})
	})
}

// An element answers by itself. What it sends by way of the gateway all the same is forwarded by the stack.
func TestNoWayBackUnderDSR(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		f.serve(n)
		f.direct(n.web)
		f.remains("SYN", tcp(n.client, n.vip, syn, ""), n.element1)
		p := fromElement(tcp(n.element1, n.client, ack, "data"))
		f.check(spec{"from the element's own address", "be", p.Frame(), "not_ours", pass, nil})
	})
}

// One client port may reach one element by two services: no way back has to be told from another.
func TestOneClientPortAtTwoServicesUnderDSR(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		f.pool(n.web, n.element1)
		f.pool(n.web2, n.element1)
		f.direct(n.web, n.web2)
		f.remains("the one", tcp(n.client, n.vip, syn, ""), n.element1)
		f.remains("the other", tcp(n.client, n.vip2, syn, ""), n.element1)
		f.remains("the one again", tcp(n.client, n.vip, ack, ""), n.element1)
	})
}

// The stack has no use for a packet to a VIP that is not its own.
func TestWhatTheStackCannotForwardUnderDSR(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		for what, element := range map[string]string{
			"no neighbour": n.silent, "behind an interface that is not ours": n.elsewhere, "no route": n.nowhere,
		} {
			f.forget()
			f.pool(n.web, element)
			f.direct(n.web)
			f.dropped(what, tcp(n.client, n.vip, syn, ""), "steer_no_route")
		}
	})
}

// A router knows no VIP but as ours: it would send the packet back. In a tunnel it forwards.
func TestElementBehindARouterUnderDSR(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		element := netip.AddrPortFrom(addrPort(n.other).Addr(), 80).String() // where clients are
		f.pool(n.web, element)
		f.direct(n.web)
		f.dropped("asked", tcp(n.client, n.vip, syn, ""), "steer_no_route")
		f.hops(n.web)
		row := uint32(f.steering.Rows(n.web)[0].Index)
		var e bpf.WeirElement
		must(f, f.maps.Elements.Lookup(row, &e))
		e.Hop.Router = 1
		must(f, f.maps.Elements.Put(row, e))
		f.dropped("known", tcp(n.client, n.vip, ack, ""), "steer_no_route")
		must(f, maps.WriteTunnelSources(f.maps, sources()))
		must(f, f.steering.Configure(n.web, maps.Options{Mode: maps.IPIP}))
		if got := f.run("cl", fromClient(tcp(n.client, n.vip, ack, "")).Frame()).verdict; got != "steer_forward" {
			f.Errorf("in a tunnel: %s", got)
		}
	})
}

// A way back is told apart from a flow that has none, of the same client and the same element.
func TestWayBackBesideDSR(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		f.pool(n.web, n.element1)
		f.pool(n.web2, n.element1)
		f.direct(n.web)
		f.remains("direct", tcp(n.client, n.vip, syn, ""), n.element1)
		f.goes("under NAT", tcp(n.client, n.vip2, syn, ""), n.element1)
		f.returns("the way back", tcp(n.element1, n.client, synAck, ""), n.vip2)
	})
}

func TestModeChangesForTheNextPacket(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		f.serve(n)
		f.goes("under NAT", tcp(n.client, n.vip, syn, ""), n.element1)
		f.direct(n.web)
		f.remains("under direct server return", tcp(n.client, n.vip, ack, ""), n.element1)
		must(t, f.steering.Configure(n.web, maps.Options{}))
		f.goes("under NAT again", tcp(n.client, n.vip, ack, ""), n.element1)
	})
}
