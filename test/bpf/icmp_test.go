// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/packet"
)

// A flow of a service as both ends see it, in one family.
type ends struct {
	client, vip, element string
	router, inner        string // a router on either side of the gateway
	protocol             uint8
	service              maps.Service
}

func tcp4() ends {
	return ends{client, vip, element1, "10.64.0.254", "10.0.20.254", packet.TCP, web()}
}

func udp4() ends {
	return ends{client, vipDNS, "10.0.20.1:5353", "10.64.0.254", "10.0.20.254", packet.UDP, dns()}
}

func tcp6() ends {
	return ends{client6, vip6, element6, "fd09::1", "fd20::fe", packet.TCP, web6()}
}

func udp6() ends {
	return ends{client6, vipDNS6, "[fd20::1]:5353", "fd09::1", "fd20::fe", packet.UDP, dns6()}
}

// open has the flow in the table, with the ways of both directions known.
func (f *fixture) open(e ends) {
	f.Helper()
	f.pool(e.service, e.element)
	f.narrow(e.service, 1500, 1500)
	if got := f.run("cl", fromRouter(e.packet(e.client, e.vip)).Frame()); got.verdict != "steer_forward" {
		f.Fatalf("the flow does not begin: %s", got.verdict)
	}
}

// packet is one of the flow's, of 40 bytes behind the headers.
func (e ends) packet(src, dst string) packet.Packet {
	p := packet.New(e.protocol, src, dst)
	p.Flags, p.Seq, p.Ack, p.TTL = packet.ACK, 0x11223344, 0x55667788, 61
	p.Payload = []byte("0123456789012345678901234567890123456789")
	return p
}

func at(s string) string { return addrPort(s).Addr().String() }

// fromRouter and fromServer are packets as they come in on either side; toServer and toRouter as
// they go out there.
func fromRouter(p packet.Packet) packet.Packet { return framed(p, routerMAC, clMAC, 0) }
func fromServer(p packet.Packet) packet.Packet { return framed(p, elementMAC(1), beMAC, 0) }
func toServer(p packet.Packet) packet.Packet   { return framed(p, beMAC, elementMAC(1), 1) }
func toRouter(p packet.Packet) packet.Packet   { return framed(p, clMAC, routerMAC, 1) }

func framed(p packet.Packet, src, dst string, hops uint8) packet.Packet {
	p.SrcMAC, p.DstMAC = hardware(src), hardware(dst)
	p.TTL -= hops
	return p
}

// icmpError quotes so many bytes of a packet, all of them if 0; its type is that of ICMPv4.
func icmpError(src, dst string, kind uint8, quoted packet.Packet, quote int) packet.Packet {
	code := uint8(0)
	if quoted.Is6() {
		kind = map[uint8]uint8{3: 1, 11: 3, 12: 4}[kind]
	} else if kind == 3 {
		code = 4
	}
	p := packet.NewICMP(src, dst, kind, code)
	p.ICMPRest = [4]byte{0, 0, 5, 0x14}
	p.Payload = quoted.Datagram()
	if quote > 0 {
		p.Payload = p.Payload[:quote]
	}
	return p
}

// RFC 5508 4.2: an error is translated as the packets of its flow are, and so is the packet in it.
func TestErrorsReachTheOtherEnd(t *testing.T) {
	f := newFixture(t)
	for name, e := range map[string]ends{"TCP": tcp4(), "UDP": udp4(), "TCP6": tcp6(), "UDP6": udp6()} {
		t.Run(name, func(t *testing.T) {
			sub := *f
			sub.TB = t
			sub.forget()
			sub.open(e)
			for _, kind := range []uint8{3, 11, 12} {
				for _, quote := range quotes(e) {
					in := fromRouter(icmpError(e.router, at(e.vip), kind, e.packet(e.vip, e.client), quote))
					out := toServer(icmpError(e.router, at(e.element), kind, e.packet(e.element, e.client), quote))
					sub.check(spec{"about a packet to the client", "cl", in.Frame(), "steer_icmp", redirect, out.Frame()})
					sub.check(spec{"the same, tagged", "cl", in.Tagged(7).Frame(), "steer_icmp", redirect, out.Frame()})
					in = fromServer(icmpError(e.inner, at(e.client), kind, e.packet(e.client, e.element), quote))
					out = toRouter(icmpError(at(e.vip), at(e.client), kind, e.packet(e.client, e.vip), quote))
					sub.check(spec{"about a packet to the element", "be", in.Frame(), "steer_icmp", redirect, out.Frame()})
					sub.check(spec{"the same, tagged twice", "be", in.Tagged(7, 9).Frame(), "steer_icmp", redirect, out.Frame()})
				}
			}
		})
	}
}

// quotes are: the least that RFC 792 allows, all but TCP's checksum, and just with it, and all.
func quotes(e ends) []int {
	header := 20
	if addrPort(e.vip).Addr().Is6() {
		header = 40
	}
	return []int{header + 8, header + 16, header + 18, 0}
}

// Headers that move the ports: options and extension headers, of the error and of what it quotes.
func TestErrorsWithOptions(t *testing.T) {
	f := newFixture(t)
	four, six := tcp4(), tcp6()
	f.open(four)
	f.open(six)
	extended := func(p packet.Packet) packet.Packet {
		p.Extensions = []packet.Extension{{Type: packet.Destination, Data: make([]byte, 14)}}
		return p
	}
	fragment := func(p packet.Packet) packet.Packet {
		p.MoreFragments, p.DontFragment, p.ID = true, false, 7
		return p
	}
	for name, change := range map[string]func(packet.Packet) packet.Packet{
		"options": withOptions, "a first fragment": fragment,
	} {
		in := fromRouter(icmpError(four.router, at(vip), 3, change(four.packet(vip, client)), 0))
		out := toServer(icmpError(four.router, at(element1), 3, change(four.packet(element1, client)), 0))
		f.check(spec{name, "cl", in.Frame(), "steer_icmp", redirect, out.Frame()})
		if name == "options" {
			f.check(spec{"both with options", "cl", withOptions(in).Frame(), "steer_icmp", redirect, withOptions(out).Frame()})
		}
	}
	for name, change := range map[string]func(packet.Packet) packet.Packet{
		"an extension header": extended, "a first fragment": fragment,
	} {
		in := fromServer(icmpError(six.inner, at(client6), 3, change(six.packet(client6, element6)), 0))
		out := toRouter(icmpError(at(vip6), at(client6), 3, change(six.packet(client6, vip6)), 0))
		f.check(spec{name, "be", in.Frame(), "steer_icmp", redirect, out.Frame()})
		f.check(spec{"behind an extension header, " + name, "be", extended(in).Frame(), "steer_icmp", redirect, extended(out).Frame()})
	}
}

// What was wrong in a quoted packet stays wrong, and the error that quotes it is right. (What becomes of an
// error that is itself wrong, mutate shows of each row.)
func TestBadQuotesStayBad(t *testing.T) {
	f := newFixture(t)
	for _, e := range []ends{tcp4(), udp4(), tcp6(), udp6()} {
		f.open(e)
		for name, damage := range map[string]func([]byte) []byte{"transport": packet.BadChecksum, "IP": packet.BadIPChecksum} {
			quoted := damage(e.packet(e.vip, e.client).Frame())
			if quoted == nil { // IPv6 has no checksum
				continue
			}
			in, out := icmpError(e.router, at(e.vip), 3, e.packet(e.vip, e.client), 0), icmpError(e.router, at(e.element), 3, e.packet(e.element, e.client), 0)
			in.Payload = quoted[packet.OffsetIP:]
			got := f.run("cl", fromRouter(in).Frame())
			err := packet.Verify(got.out)
			inner := append(quoted[:packet.OffsetIP:packet.OffsetIP], got.out[packet.HeadersEnd(got.out):]...)
			if bad := packet.Verify(inner); got.verdict != "steer_icmp" || err != nil || bad == nil || distance(got.out, toServer(out).Frame()) > 4 {
				t.Errorf("%s, %s: %s, the error has %v, what it quotes %v", e.vip, name, got.verdict, err, bad)
			}
		}
	}
	e := udp4()
	silent := func(src, dst string) packet.Packet { p := e.packet(src, dst); p.NoUDPChecksum = true; return p }
	in := fromRouter(icmpError(e.router, at(e.vip), 3, silent(e.vip, e.client), 0))
	out := toServer(icmpError(e.router, at(e.element), 3, silent(e.element, e.client), 0))
	f.check(spec{"UDP without a checksum", "cl", in.Frame(), "steer_icmp", redirect, out.Frame()})
}

// Elements that have the VIP get the error as it is, but in a frame to them.
func TestErrorsOfDSR(t *testing.T) {
	f := newFixture(t)
	for _, e := range []ends{tcp4(), tcp6()} {
		f.open(e)
		must(t, f.steering.Configure(e.service, maps.Options{Mode: maps.DSR}))
		f.narrow(e.service, 1500, 1500)
		in := icmpError(e.router, at(e.vip), 3, e.packet(e.vip, e.client), 0)
		f.check(spec{"to the element", "cl", fromRouter(in).Frame(), "steer_icmp", redirect, toServer(in).Frame()})
		behind := fromServer(icmpError(e.inner, at(e.client), 3, e.packet(e.client, e.vip), 0))
		f.check(spec{"to the client, by the stack", "be", behind.Frame(), "not_ours", pass, nil})
	}
}

// Elements behind a tunnel get the error through it, on the way of the flow's packets.
func TestErrorsThroughTunnels(t *testing.T) {
	f := newTunnelFixture(t)
	for _, o := range tunnelModes() {
		for _, element := range []string{element41, element61} {
			f.configure(element, o)
			for _, e := range []ends{tcp4(), tcp6()} {
				f.forget()
				flow := f.run("cl", fromRouter(e.packet(e.client, e.vip)).Frame())
				in := fromRouter(icmpError(e.router, at(e.vip), 3, e.packet(e.vip, e.client), 0))
				f.expect(spec{fmt.Sprintf("of %s by %s %d to %s", e.vip, o.Mode, o.TunnelPort, element), "cl", in.Frame(), "steer_icmp", redirect,
					outside(in, element, o, spreadOf(flow.out, o)).Frame()})
			}
		}
	}
}

// What is no error about a flow's packet is the stack's, and nothing is made or renewed by any.
func TestOtherICMPPasses(t *testing.T) {
	f := newFixture(t)
	e, six := tcp4(), tcp6()
	f.open(e)
	f.open(six)
	before := f.snapshot()
	good := e.packet(e.vip, e.client)
	of := func(change func(*packet.Packet)) []byte {
		p := icmpError(e.router, at(e.vip), 3, good, 0)
		change(&p)
		return fromRouter(p).Frame()
	}
	quoting := func(change func(*packet.Packet)) []byte {
		q := good
		change(&q)
		return fromRouter(icmpError(e.router, at(e.vip), 3, q, 0)).Frame()
	}
	echo := packet.NewICMP(at(vip), at(client), 8, 0)
	echo.Payload = make([]byte, 40)
	nested := icmpError(at(vip), at(client), 3, e.packet(client, vip), 0)
	for _, row := range []spec{
		{name: "an echo", in: of(func(p *packet.Packet) { p.ICMPType, p.ICMPCode = 8, 0 })},
		{name: "source quench", in: of(func(p *packet.Packet) { p.ICMPType, p.ICMPCode = 4, 0 })},
		{name: "a redirect", in: of(func(p *packet.Packet) { p.ICMPType, p.ICMPCode = 5, 1 })},
		{name: "to another than the sender", in: of(func(p *packet.Packet) { p.Dst = netip.MustParseAddrPort("10.0.100.9:0") })},
		{name: "a fragment", in: of(func(p *packet.Packet) { p.DontFragment, p.MoreFragments = false, true })},
		{name: "no room for ports", in: fromRouter(icmpError(e.router, at(e.vip), 3, good, 27)).Frame()},
		{name: "no room for a header", in: fromRouter(icmpError(e.router, at(e.vip), 3, good, 19)).Frame()},
		{name: "nothing quoted", in: of(func(p *packet.Packet) { p.Payload = nil })},
		{name: "quoting an echo", in: fromRouter(icmpError(e.router, at(e.vip), 3, echo, 0)).Frame()},
		{name: "quoting an error", in: fromRouter(icmpError(e.router, at(e.vip), 3, nested, 0)).Frame()},
		{name: "quoting a later fragment", in: quoting(func(p *packet.Packet) { p.DontFragment, p.FragmentOffset = false, 4 })},
		{name: "another client's", in: quoting(func(p *packet.Packet) { p.Dst = addrPort("10.64.0.1:40001") })},
		{name: "another port of the VIP", in: quoting(func(p *packet.Packet) { p.Src = addrPort("10.0.100.1:81") })},
		{name: "another protocol", in: quoting(func(p *packet.Packet) { p.Protocol = packet.UDP })},
		{name: "another version", in: of(func(p *packet.Packet) { p.Payload[0] = 0x65 })},
		{name: "a short header", in: of(func(p *packet.Packet) { p.Payload[0] = 0x44 })},
		{name: "of the registrar's port", in: fromRouter(icmpError(e.router, at(registrar), 3, e.packet(registrar, client), 0)).Frame()},
		{name: "IPv6: a redirect", in: fromRouter(func() packet.Packet {
			p := icmpError(six.router, at(vip6), 3, six.packet(vip6, client6), 0)
			p.ICMPType = 137
			return p
		}()).Frame()},
		{name: "IPv6: no room for ports", in: fromRouter(icmpError(six.router, at(vip6), 3, six.packet(vip6, client6), 47)).Frame()},
	} {
		row.from, row.verdict, row.action = "cl", "not_ours", pass
		f.check(row)
	}
	behind := fromServer(icmpError(e.inner, at(client), 3, e.packet(client, "10.0.20.1:8081"), 0))
	f.check(spec{"of no flow, from behind", "be", behind.Frame(), "not_ours", pass, nil})
	f.check(spec{"an error", "cl", of(func(*packet.Packet) {}), "steer_icmp", redirect,
		toServer(icmpError(e.router, at(e.element), 3, e.packet(e.element, e.client), 0)).Frame()})
	if !f.unchanged(before) {
		t.Error("the flow table changed")
	}
	lost := maps.Lost
	f.mark(e.service, e.element, &lost)
	f.check(spec{"to an element that is lost", "cl", of(func(*packet.Packet) {}), "not_ours", pass, nil})
}

// An error at the end of its life, without a way, or too large is not answered by another error.
func TestErrorsWithoutAWay(t *testing.T) {
	f := newFixture(t)
	e := tcp4()
	f.open(e)
	in := fromRouter(icmpError(e.router, at(e.vip), 3, e.packet(e.vip, e.client), 0))
	last := in
	last.TTL = 1
	f.check(spec{"the last hop", "cl", last.Frame(), "steer_ttl", pass, nil})
	f.narrow(e.service, 68, 68)
	f.check(spec{"too large", "cl", in.Frame(), "steer_oversize", drop, nil})
	must(t, f.maps.Uplinks.Put(uint32(0), bpf.WeirUplinks{}))
	f.pool(e.service, "10.0.20.99:80")
	f.forget()
	f.run("cl", fromRouter(e.packet(e.client, e.vip)).Frame())
	out := in
	out.Dst = netip.MustParseAddrPort("10.0.20.99:0")
	out.Payload = e.packet("10.0.20.99:80", e.client).Datagram()
	f.check(spec{"no neighbour: the stack resolves it", "cl", in.Frame(), "steer_neighbor", pass, out.Frame()})
}

// Cut off at every length behind the ICMP header, with lengths that agree with what is left: never more
// is read than there is.
func TestErrorsCutOff(t *testing.T) {
	f := newFixture(t)
	for _, e := range []ends{tcp4(), udp6()} {
		f.open(e)
		in := fromRouter(icmpError(e.router, at(e.vip), 3, e.packet(e.vip, e.client), 0)).Frame()
		for length := packet.HeadersEnd(in); length < len(in); length++ {
			want := "not_ours"
			if length >= packet.HeadersEnd(in)+quotes(e)[0] {
				want = "steer_icmp"
			}
			if got := f.run("cl", packet.Cut(in, length)).verdict; got != want {
				t.Errorf("%d bytes: %s, want %s", length, got, want)
			}
		}
	}
}
