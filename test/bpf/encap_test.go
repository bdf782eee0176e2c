// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/packet"
)

// Elements that are reached by tunnels have the service's port.
const (
	element41 = "10.0.20.1:80"
	element61 = "[fd20::1]:80"
	source4   = "10.0.20.254"
	source6   = "fd20::fe"
)

// newTunnelFixture has addresses to tunnel from.
func newTunnelFixture(t testing.TB) *fixture {
	f := newFixture(t)
	must(t, maps.WriteTunnelSources(f.maps, sources()))
	return f
}

// segment is a client's, with so much data.
func segment(from, to string, size int) packet.Packet {
	return fromClient(tcp(from, to, packet.ACK, strings.Repeat("x", size)))
}

func with(p packet.Packet, change func(*packet.Packet)) packet.Packet { change(&p); return p }

// spread are the bits that tell a tunnelled flow from others.
type spread struct {
	port  uint16
	label uint32
}

// outside is the packet as the element gets it: with its time to live decremented, in one from the gateway.
func outside(p packet.Packet, element string, o maps.Options, s spread) packet.Packet {
	to, source := addrPort(element).Addr(), source4
	if to.Is6() {
		source = source6
	}
	outer := packet.New(packet.UDP, netip.AddrPortFrom(netip.MustParseAddr(source), s.port).String(), netip.AddrPortFrom(to, maps.GUEPort).String())
	if o.TunnelPort != 0 {
		outer.Dst = netip.AddrPortFrom(to, o.TunnelPort)
	}
	outer.SrcMAC, outer.DstMAC = hardware(beMAC), hardware(elementMAC(1))
	outer.TOS, outer.FlowLabel, outer.NoUDPChecksum = p.TOS, s.label, true
	p.TTL--
	if o.Mode == maps.GUE {
		return p.DirectGUE(outer)
	}
	return p.In(outer)
}

// spreadOf reads the bits from a frame that the gateway sent.
func spreadOf(frame []byte, o maps.Options) (s spread) {
	at := packet.OffsetTransport
	if frame[packet.OffsetIP]>>4 == 6 {
		s.label = binary.BigEndian.Uint32(frame[packet.OffsetIP:]) & 0xfffff
		at = packet.OffsetTransport6
	}
	if o.Mode == maps.GUE {
		s.port = binary.BigEndian.Uint16(frame[at:])
	}
	return s
}

// tunnelled sends a packet through the gateway and checks what the element gets, to the last byte.
func (f *fixture) tunnelled(p packet.Packet, element string, o maps.Options) {
	f.Helper()
	got := f.run("cl", p.Frame())
	if got.verdict != "steer_forward" || got.action != redirect {
		f.Fatalf("%s, %s; want steer_forward, redirect", got.verdict, got.action)
	}
	s := spreadOf(got.out, o)
	if o.Mode == maps.GUE && s.port < 0xc000 || addrPort(element).Addr().Is6() && s.label < 0x10000 {
		f.Errorf("source port %d, flow label %#x", s.port, s.label)
	}
	if diff := packet.Diff(outside(p, element, o, s).Frame(), got.out); diff != "" {
		f.Error(diff)
	}
	if o.TunnelPort == 0 && rows.add(f.Name(), fmt.Sprintf("%x", p.Frame())) { // else package packet does not know the tunnel
		f.mutate(spec{"in a tunnel", "cl", p.Frame(), got.verdict, got.action, got.out})
	}
}

// configure serves both families' services by one element.
func (f *fixture) configure(element string, o maps.Options) {
	f.Helper()
	for _, s := range []maps.Service{web(), web6()} {
		must(f, f.steering.Configure(s, o))
		f.pool(s, element)
	}
}

func tunnelModes() []maps.Options {
	return []maps.Options{{Mode: maps.IPIP}, {Mode: maps.GUE}, {Mode: maps.GUE, TunnelPort: 5555}}
}

func TestTunnels(t *testing.T) {
	f := newTunnelFixture(t)
	for _, known := range []bool{false, true} {
		for _, o := range tunnelModes() {
			for _, element := range []string{element41, element61} {
				f.configure(element, o)
				if known {
					f.hops(web())
					f.hops(web6())
				}
				for name, p := range tunnelRows() {
					name = fmt.Sprintf("%s to %s by %s %d, known %t", name, element, o.Mode, o.TunnelPort, known)
					t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
						sub := *f
						sub.TB = t
						sub.forget()
						sub.tunnelled(p, element, o)
						sub.tunnelled(p, element, o) // of the flow that is known by now
					})
				}
			}
		}
	}
}

// tunnelRows are packets of both families that fit.
func tunnelRows() map[string]packet.Packet {
	rows := map[string]packet.Packet{}
	for family, p := range map[string]packet.Packet{"IPv4": segment(client, vip, 0), "IPv6": segment(client6, vip6, 0)} {
		rows[family+", no data"] = p
		rows[family+", odd length"] = with(p, func(p *packet.Packet) { p.Payload = []byte("GET /") })
		rows[family+", last hop but one"] = with(p, func(p *packet.Packet) { p.TTL = 2 })
		for ecn, text := range []string{"not ECT", "ECT(1)", "ECT(0)", "CE"} {
			rows[family+", expedited, "+text] = with(p, func(p *packet.Packet) { p.TOS = 0xb8 | uint8(ecn) })
		}
		rows[family+", every bit of the class"] = with(p, func(p *packet.Packet) { p.TOS = 0xff })
		rows[family+", a VLAN tag is dropped"] = p.Tagged(7)
		rows[family+", two VLAN tags are dropped"] = p.Tagged(7, 8)
	}
	rows["IPv4, options"] = withOptions(rows["IPv4, odd length"])
	rows["IPv4, may be fragmented"] = with(rows["IPv4, odd length"], func(p *packet.Packet) { p.DontFragment, p.ID = false, 77 })
	rows["IPv6, hop-by-hop options"] = with(rows["IPv6, odd length"], func(p *packet.Packet) {
		p.Extensions = []packet.Extension{{Type: packet.HopByHop, Data: make([]byte, 6)}}
	})
	rows["IPv6, a flow label"] = with(rows["IPv6, odd length"], func(p *packet.Packet) { p.FlowLabel = 0x12345 })
	return rows
}

// Of one flow all packets have the same port and label, so that they stay in order; many flows have many.
func TestTunnelsSpread(t *testing.T) {
	f := newTunnelFixture(t)
	o := maps.Options{Mode: maps.GUE}
	f.configure(element61, o)
	ports, labels := map[uint16]bool{}, map[uint32]bool{}
	for n := range 256 {
		from := fmt.Sprintf("10.64.1.%d:4000", n)
		first := spreadOf(f.run("cl", segment(from, vip, 0).Frame()).out, o)
		if again := spreadOf(f.run("cl", segment(from, vip, 99).Frame()).out, o); again != first {
			t.Fatalf("%s: %+v and then %+v", from, first, again)
		}
		ports[first.port], labels[first.label] = true, true
	}
	if len(ports) < 250 || len(labels) < 250 { // of 16,384: 2 of 256 are expected to meet
		t.Errorf("256 flows have %d ports and %d labels", len(ports), len(labels))
	}
}

// A packet fits if it does with its outer header.
func TestTunnelsAndMTU(t *testing.T) {
	f := newTunnelFixture(t)
	for _, known := range []bool{false, true} {
		for _, tt := range []struct {
			mode    maps.Mode
			element string
			room    int
		}{{maps.IPIP, element41, 20}, {maps.IPIP, element61, 40}, {maps.GUE, element41, 28}, {maps.GUE, element61, 48}} {
			f.forget()
			f.configure(tt.element, maps.Options{Mode: tt.mode})
			if known {
				f.hops(web())
				f.hops(web6())
			}
			most := 1500 - tt.room
			f.tunnelled(segment(client, vip, most-40), tt.element, maps.Options{Mode: tt.mode})
			f.tunnelled(segment(client6, vip6, most-60), tt.element, maps.Options{Mode: tt.mode})
			f.tooBig(segment(client, vip, most-39), most)
			f.tooBig(segment(client6, vip6, most-59), most)
		}
	}
}

// tooBig checks that the packet is answered by an error that says what would fit.
func (f *fixture) tooBig(p packet.Packet, mtu int) {
	f.Helper()
	got := f.run("cl", p.Frame())
	if got.verdict != "steer_too_big" || got.action != tx {
		f.Fatalf("%s, %s; want steer_too_big, tx", got.verdict, got.action)
	}
	told, err := packet.Decode(got.out)
	must(f, err)
	if at := int(binary.BigEndian.Uint16(told.ICMPRest[2:])); at != mtu || told.Dst.Addr() != p.Src.Addr() {
		f.Errorf("%s is told that %d bytes fit, want %s and %d", told.Dst.Addr(), at, p.Src.Addr(), mtu)
	}
}

func TestTunnelsThatLeadNowhere(t *testing.T) {
	f := newTunnelFixture(t)
	seg := segment(client, vip, 3)
	last := with(seg, func(p *packet.Packet) { p.TTL = 1 })
	for _, tt := range []struct {
		name, element string
		sources       maps.TunnelSources
		in            packet.Packet
		verdict       string
		action        action
	}{
		{"no address to send from", element41, maps.TunnelSources{V6: netip.MustParseAddr(source6)}, seg, "steer_no_route", drop},
		{"none of IPv6", element61, maps.TunnelSources{V4: netip.MustParseAddr(source4)}, seg, "steer_no_route", drop},
		{"an unresolved neighbour: the stack cannot help", "10.0.20.99:80", sources(), seg, "steer_no_route", drop},
		{"no route", "10.200.0.1:80", sources(), seg, "steer_no_route", drop},
		{"an interface without the program", "10.0.30.1:80", sources(), seg, "steer_no_route", drop},
		{"the last hop", element41, sources(), last, "steer_ttl", pass},
	} {
		t.Run(strings.ReplaceAll(tt.name, " ", "_"), func(t *testing.T) {
			sub := *f
			sub.TB = t
			sub.forget()
			sub.configure(tt.element, maps.Options{Mode: maps.IPIP})
			must(t, maps.WriteTunnelSources(f.maps, tt.sources))
			sub.check(spec{tt.name, "cl", tt.in.Frame(), tt.verdict, tt.action, nil})
		})
	}
}

func sources() maps.TunnelSources {
	return maps.TunnelSources{V4: netip.MustParseAddr(source4), V6: netip.MustParseAddr(source6)}
}

// What a reload changes is so for flows that are there, too.
func TestTunnelsModeChanges(t *testing.T) {
	f := newTunnelFixture(t)
	p := segment(client, vip, 3)
	for _, o := range append(tunnelModes(), tunnelModes()...) {
		f.configure(element41, o)
		f.tunnelled(p, element41, o)
	}
	var e bpf.WeirElement
	must(t, f.maps.Elements.Lookup(uint32(f.steering.Rows(web())[0].Index), &e))
	if e.TunnelPort != 0xb315 { // 5555 as it lies in memory
		t.Errorf("tunnel port %#x", e.TunnelPort)
	}
}

// Without a way back by the gateway, one client port may have flows of two services to one element.
func TestTunnelsHaveNoConflicts(t *testing.T) {
	f := newTunnelFixture(t)
	for _, s := range []maps.Service{web(), web2()} {
		must(t, f.steering.Configure(s, maps.Options{Mode: maps.IPIP}))
		f.pool(s, element41)
	}
	f.tunnelled(segment(client, vip, 3), element41, maps.Options{Mode: maps.IPIP})
	f.tunnelled(segment(client, vip2, 3), element41, maps.Options{Mode: maps.IPIP})
}
