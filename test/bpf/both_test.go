// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket/layers"

	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/packet"
)

// What the other tables say of IPv4, in both families: NAT there and back.
func TestNATInBothFamilies(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		f.serve(n)
		f.inBothWays(t, n, func(f *fixture) {
			mss := layers.TCPOption{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{5, 0xb4}}
			f.goes("SYN", with(tcp(n.client, n.vip, syn, ""), func(p *packet.Packet) { p.TCPOptions = []layers.TCPOption{mss} }), n.element1)
			f.returns("SYN-ACK", tcp(n.element1, n.client, synAck, ""), n.vip)
			f.goes("ACK", tcp(n.client, n.vip, ack, ""), n.element1)
			f.goes("data", tcp(n.client, n.vip, ack|packet.PSH, "GET / HTTP/1.1"), n.element1)
			f.returns("data back", tcp(n.element1, n.client, ack|packet.PSH, "HTTP/1.1 200 OK"), n.vip)
			f.goes("urgent data", with(tcp(n.client, n.vip, ack|packet.URG, "!"), func(p *packet.Packet) { p.Urgent = 1 }), n.element1)
			f.goes("traffic class and congestion marks", with(tcp(n.client, n.vip, ack|packet.ECE|packet.CWR, ""), func(p *packet.Packet) { p.TOS, p.FlowLabel = 0xbb, 0xabcde }), n.element1)
			f.goes("the last hop but one", with(tcp(n.client, n.vip, ack, ""), func(p *packet.Packet) { p.TTL = 2 }), n.element1)
			f.returns("the last hop but one, back", with(tcp(n.element1, n.client, ack, ""), func(p *packet.Packet) { p.TTL = 2 }), n.vip)
			f.passes("at the end of its life", with(tcp(n.client, n.vip, ack, ""), func(p *packet.Packet) { p.TTL = 1 }), "steer_ttl")
			f.passes("beyond it", with(tcp(n.client, n.vip, ack, ""), func(p *packet.Packet) { p.TTL = 0 }), "steer_ttl")
			f.goes("FIN", tcp(n.client, n.vip, fin|ack, ""), n.element1)
			f.returns("FIN back", tcp(n.element1, n.client, fin|ack, ""), n.vip)
			f.goes("RST", tcp(n.client, n.vip, rst, ""), n.element1)
			f.returns("RST back", tcp(n.element1, n.client, rst, ""), n.vip)
			f.goes("a segment of no flow, in the middle of a connection", tcp(n.other, n.vip, ack, "data"), n.element1)
			f.returns("and back", tcp(n.element1, n.other, ack, "data"), n.vip)
			f.dropped("a RST of no flow", tcp(n.client, n.vip2, rst, ""), "steer_stray")
		})
	})
}

func TestDatagramsInBothFamilies(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		f.serve(n)
		none := func(p packet.Packet) packet.Packet { p.NoUDPChecksum = true; return p }
		f.inBothWays(t, n, func(f *fixture) {
			f.goes("a datagram", packet.NewUDP(n.client, n.vipDNS, []byte("query")), n.resolver)
			f.returns("a datagram back", packet.NewUDP(n.resolver, n.client, []byte("answer")), n.vipDNS)
			f.goes("an empty one", packet.NewUDP(n.client, n.vipDNS, nil), n.resolver)
			f.returns("an empty one back", packet.NewUDP(n.resolver, n.client, nil), n.vipDNS)
			f.goes("without checksum it gets none", none(packet.NewUDP(n.client, n.vipDNS, []byte("query"))), n.resolver)
			f.returns("nor back", none(packet.NewUDP(n.resolver, n.client, []byte("answer"))), n.vipDNS)
			f.check(spec{"from another port of the element", "be", fromElement(packet.NewUDP(
				withPort(n.resolver, 54), n.client, nil)).Frame(), "not_ours", pass, nil})
		})
	})
}

// RFC 3828: of UDP-Lite the checksum covers as much as the sender says, but the addresses and ports always.
func TestUDPLite(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		f.serve(n)
		f.inBothWays(t, n, func(f *fixture) {
			f.goes("all covered", udpLite(n.client, n.vipDNS, 0, "query"), n.resolver)
			f.goes("all covered, in so many words", udpLite(n.client, n.vipDNS, 13, "query"), n.resolver)
			f.goes("the header alone", udpLite(n.client, n.vipDNS, 8, "query"), n.resolver)
			f.goes("an odd part", udpLite(n.client, n.vipDNS, 11, "query"), n.resolver)
			f.goes("an empty one", udpLite(n.client, n.vipDNS, 0, ""), n.resolver)
			f.returns("all covered, back", udpLite(n.resolver, n.client, 0, "answer"), n.vipDNS)
			f.returns("a part, back", udpLite(n.resolver, n.client, 9, "answer"), n.vipDNS)
		})
		p := fromClient(udpLite(n.client, n.vipDNS, 8, "query")).Frame()
		at := len(p) - len("query") - 4
		for _, coverage := range []byte{1, 7, 14} {
			f.check(spec{"coverage of " + string('0'+rune(coverage)), "cl", edit(p, at, 0, coverage), "steer_malformed", drop, nil})
		}
		datagram := fromClient(packet.NewUDP(n.other, n.vipDNS, []byte("query")))
		f.check(spec{"UDP's flow is another one", "cl", datagram.Frame(), "steer_forward", redirect, toElement(datagram, n.resolver).Frame()})
		f.pool(n.lite)
		f.dropped("nobody serves it", udpLite(n.other, n.vipDNS, 0, "query"), "steer_no_element")
	})
}

func withPort(at string, port uint16) string {
	p := addrPort(at)
	return netip.AddrPortFrom(p.Addr(), port).String()
}

// Where the way leads, as the kernel knows it.
func TestWaysInBothFamilies(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		segment := fromClient(tcp(n.client, n.vip, syn, ""))
		to := func(element string) []byte {
			return with(segment, func(p *packet.Packet) { p.Dst = addrPort(element) }).Frame()
		}
		for _, tt := range []struct {
			element string
			spec
		}{
			{n.nowhere, spec{"no route", "cl", segment.Frame(), "steer_no_route", drop, nil}},
			{n.silent, spec{"no neighbour: the stack resolves it and forwards", "cl", segment.Frame(), "steer_neighbor", pass, to(n.silent)}},
			{n.elsewhere, spec{"behind an interface that is not ours: the stack forwards", "cl", segment.Frame(), "steer_neighbor", pass, to(n.elsewhere)}},
			{n.narrow, spec{"what fits a smaller MTU", "cl", segment.Frame(), "steer_forward", redirect, toElement(segment, n.narrow).Frame()}},
		} {
			f.forget()
			f.pool(n.web, tt.element)
			f.check(tt.spec)
		}
	})
}

// Out where it came in: no redirect, and no other interface, is needed.
func TestBackOutOfTheSameInterface(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		f.pool(n.web, n.element1)
		p := tcp(n.client, n.vip, syn, "")
		p.SrcMAC, p.DstMAC = macOf(addrPort(n.element2).Addr()), hardware(beMAC)
		got := f.run("be", p.Frame())
		if diff := packet.Diff(toElement(p, n.element1).Frame(), got.out); diff != "" || got.verdict != "steer_forward" || got.action != tx {
			t.Errorf("%s, %s:\n%s", got.verdict, got.action, diff)
		}
	})
}

// Whose element is lost, and who finds none.
func TestResetsInBothFamilies(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		const seq, ackNumber = 0x11223344, 0x55667788
		f.answered("SYN to an empty pool", tcp(n.client, n.vip, syn, ""), "steer_refused", rst|ack, 0, seq+1)
		f.answered("SYN with data", tcp(n.client, n.vip, syn, "12345"), "steer_refused", rst|ack, 0, seq+6)
		f.answered("ACK", tcp(n.client, n.vip, ack, "data"), "steer_refused", rst, ackNumber, 0)
		f.dropped("RST", tcp(n.client, n.vip, rst, ""), "steer_stray")
		f.dropped("a datagram", packet.NewUDP(n.client, n.vipDNS, []byte("query")), "steer_no_element")
		f.pool(n.web, n.element1)
		f.goes("SYN", tcp(n.client, n.vip, syn, ""), n.element1)
		f.returns("SYN-ACK", tcp(n.element1, n.client, synAck, ""), n.vip)
		f.goes("ACK of the connection", tcp(n.client, n.vip, ack, ""), n.element1)
		lost := maps.Lost
		f.mark(n.web, n.element1, &lost)
		f.answered("ACK to a lost element", tcp(n.client, n.vip, ack, ""), "steer_reset", rst, ackNumber, 0)
		f.answered("data to a lost element", tcp(n.client, n.vip, ack, "data"), "steer_reset", rst, ackNumber, 0)
		f.answered("data without ACK", tcp(n.client, n.vip, packet.PSH, "data"), "steer_reset", rst|ack, 0, seq+4)
		f.answered("FIN without ACK", tcp(n.client, n.vip, fin, ""), "steer_reset", rst|ack, 0, seq+1)
		f.dropped("RST to a lost element", tcp(n.client, n.vip, rst, ""), "steer_lost")
		f.answered("SYN when nobody is left", tcp(n.client, n.vip, syn, ""), "steer_refused", rst|ack, 0, seq+1)
	})
}

func TestAnswersToExtendedPackets(t *testing.T) {
	f := newFixture(t)
	for _, e := range []packet.Extension{hopByHop(), dstOpts(), ah(), atomic()} {
		p := withExtensions(tcp(client6, vip6, syn, ""), e)
		in := fromClient(p)
		out := answer(in, rst|ack, 0, p.Seq+1)
		f.check(spec{"extension header " + string('0'+rune(e.Type)), "cl", in.Frame(), "steer_refused", tx, out.Frame()})
	}
}

// The way back is told by element, port and client in both families; a client's port is one place in both.
func TestConflictInBothFamilies(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		f.pool(n.web, n.element1)
		f.pool(n.web2, n.element1)
		f.goes("SYN", tcp(n.client, n.vip, syn, ""), n.element1)
		f.dropped("SYN to the other service", tcp(n.client, n.vip2, syn, ""), "steer_nat_conflict")
		f.goes("from another port", tcp(n.other, n.vip2, syn, ""), n.element1)
		f.returns("back as the one", tcp(n.element1, n.client, synAck, ""), n.vip)
		f.returns("back as the other", tcp(n.element1, n.other, synAck, ""), n.vip2)
	})
}

func TestNotOursInBothFamilies(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		f.serve(n)
		for what, p := range map[string]packet.Packet{
			"another port of a VIP":             tcp(n.client, withPort(n.vip, 81), syn, ""),
			"another host":                      tcp(n.client, n.host, syn, ""),
			"UDP at the port of a TCP service":  packet.NewUDP(n.client, n.vip, nil),
			"TCP at the port of a UDP service":  tcp(n.client, n.vipDNS, syn, ""),
			"SCTP at the port of a TCP service": packet.NewSCTP(n.client, n.vip, 0, packet.Init(7)),
			"DCCP at the port of a TCP service": packet.New(packet.DCCP, n.client, n.vip),
			"the registrar's host":              tcp(n.client, withPort(n.registrar, 22), syn, ""),
			"a packet in IPv4":                  tcp(client, vip, syn, "").In(packet.New(packet.IPIP, n.client, n.host)),
			"a packet in IPv6":                  tcp(client6, vip6, syn, "").In(packet.New(packet.IPv6, n.client, n.host)),
			"an unknown protocol":               packet.New(253, n.client, n.vip),
		} {
			f.passes(what, p, "not_ours")
		}
		p := fromElement(tcp(n.element1, n.client, ack, ""))
		f.check(spec{"from an element, of no flow", "be", p.Frame(), "not_ours", pass, nil})
	})
}
