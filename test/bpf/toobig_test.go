// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/packet"
)

// narrow makes every next hop known, with that MTU behind the element and that one towards the client.
func (f *fixture) narrow(s maps.Service, behind, before uint16) {
	f.Helper()
	for _, row := range f.steering.Rows(s) {
		var e bpf.WeirElement
		must(f, f.maps.Elements.Lookup(uint32(row.Index), &e))
		e.Hop = f.hop("be", beMAC, elementMAC(1), behind)
		must(f, f.maps.Elements.Put(uint32(row.Index), e))
	}
	u := bpf.WeirUplinks{Until: math.MaxInt32}
	u.V4[0].Hop = f.hop("cl", clMAC, routerMAC, before)
	u.V6[0].Hop = u.V4[0].Hop
	must(f, f.maps.Uplinks.Put(uint32(0), u))
}

func (f *fixture) hop(ifname, from, to string, mtu uint16) (h bpf.WeirHop) {
	h.Ifindex, h.Mtu = f.ifindex[ifname], mtu
	copy(h.Smac[:], hardware(from))
	copy(h.Dmac[:], hardware(to))
	return h
}

// layered is a frame of these layers, with the lengths and checksums that they need.
func layered(stack ...gopacket.SerializableLayer) []byte {
	buffer := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, stack...); err != nil {
		panic(err)
	}
	return buffer.Bytes()
}

// segment6 is a TCP segment over IPv6.
func segment6(srcMAC, dstMAC, src, dst string, hops uint8, payload []byte) []byte {
	from, to := addrPort(src), addrPort(dst)
	ip := &layers.IPv6{Version: 6, NextHeader: layers.IPProtocolTCP, HopLimit: hops, SrcIP: from.Addr().AsSlice(), DstIP: to.Addr().AsSlice()}
	tcp := &layers.TCP{SrcPort: layers.TCPPort(from.Port()), DstPort: layers.TCPPort(to.Port()), Seq: 7, Ack: 9, ACK: true, Window: 100}
	must2(tcp.SetNetworkLayerForChecksum(ip))
	return layered(ether(srcMAC, dstMAC, layers.EthernetTypeIPv6), ip, tcp, gopacket.Payload(payload))
}

func ether(src, dst string, kind layers.EthernetType) *layers.Ethernet {
	return &layers.Ethernet{SrcMAC: hardware(src), DstMAC: hardware(dst), EthernetType: kind}
}

func must2(err error) {
	if err != nil {
		panic(err)
	}
}

// tagged is the frame in a VLAN.
func tagged(frame []byte, vlan uint16) []byte {
	return bytes.Join([][]byte{frame[:12], {0x81, 0, byte(vlan >> 8), byte(vlan)}, frame[12:]}, nil)
}

// needed is the error of RFC 1191 4 about an IPv4 packet, on the packet's way back.
func needed(about packet.Packet, mtu uint16, quote int) []byte {
	e := packet.NewICMP(about.Dst.Addr().String(), about.Src.Addr().String(), 3, 4)
	e.SrcMAC, e.DstMAC = about.DstMAC, about.SrcMAC
	e.ICMPRest = [4]byte{0, 0, byte(mtu >> 8), byte(mtu)}
	e.Payload = about.Frame()[packet.OffsetIP:][:quote]
	return e.Frame()
}

// tooBig is the error of RFC 4443 3.2 about an IPv6 packet, on the packet's way back.
func tooBig(about []byte, srcMAC, dstMAC, src, dst string, mtu uint32) []byte {
	ip := &layers.IPv6{Version: 6, NextHeader: layers.IPProtocolICMPv6, HopLimit: 64,
		SrcIP: addrPort(src).Addr().AsSlice(), DstIP: addrPort(dst).Addr().AsSlice()}
	icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(layers.ICMPv6TypePacketTooBig, 0)}
	must2(icmp.SetNetworkLayerForChecksum(ip))
	rest := []byte{byte(mtu >> 24), byte(mtu >> 16), byte(mtu >> 8), byte(mtu)}
	return layered(ether(srcMAC, dstMAC, layers.EthernetTypeIPv6), ip, icmp, gopacket.Payload(append(rest, about[14:][:1280-40-8]...)))
}

// RFC 1191 4: "the ICMP message ... MTU of the next-hop network".
func TestFragmentationNeeded(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	f.narrow(web(), 1400, 1400)
	with := func(p packet.Packet, change func(*packet.Packet)) packet.Packet { change(&p); return p }
	of := func(length int) packet.Packet {
		return fromClient(tcp(client, vip, packet.ACK, string(bytes.Repeat([]byte("data"), 400)[:length-40])))
	}
	fits, large := of(1400), of(1401)
	free := with(large, func(p *packet.Packet) { p.DontFragment = false })
	stack := free
	stack.Dst = addrPort(element1)
	options := withOptions(large)
	bad := with(large, func(p *packet.Packet) { p.BadChecksum = true })
	from := func(src string) packet.Packet { return with(large, func(p *packet.Packet) { p.Src = addrPort(src) }) }
	f.checkAll(t, []spec{
		{"what just fits goes on", "cl", fits.Frame(), "steer_forward", redirect, toElement(fits, element1).Frame()},
		{"one byte more is answered from the VIP", "cl", large.Frame(), "steer_too_big", tx, needed(large, 1400, 548)},
		{"in its VLAN", "cl", tagged(large.Frame(), 7), "steer_too_big", tx, tagged(needed(large, 1400, 548), 7)},
		{"in two VLANs", "cl", tagged(tagged(large.Frame(), 7), 9), "steer_too_big", tx, tagged(tagged(needed(large, 1400, 548), 7), 9)},
		{"IP options are quoted", "cl", options.Frame(), "steer_too_big", tx, needed(options, 1400, 548)},
		{"padding is not", "cl", append(large.Frame(), 1, 2, 3), "steer_too_big", tx, needed(large, 1400, 548)},
		{"a bad checksum is quoted as it came", "cl", bad.Frame(), "steer_too_big", tx, needed(bad, 1400, 548)},
		{"one that may be fragmented is the stack's", "cl", free.Frame(), "steer_neighbor", pass, stack.Frame()},
		{"nobody is told at no address", "cl", from("0.0.0.0:1").Frame(), "steer_oversize", drop, from("0.0.0.0:1").Frame()},
		{"nor at a group's", "cl", from("224.0.0.1:1").Frame(), "steer_oversize", drop, from("224.0.0.1:1").Frame()},
		{"nor at the host itself", "cl", from("127.0.0.1:1").Frame(), "steer_oversize", drop, from("127.0.0.1:1").Frame()},
	})
}

// Where the kernel is asked for the next hop, its route's MTU counts.
func TestFragmentationNeededByTheRoute(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), "10.0.20.50:80")
	large := fromClient(tcp(client, vip, packet.ACK, string(make([]byte, 561))))
	f.check(spec{"larger than the route's MTU", "cl", large.Frame(), "steer_too_big", tx, needed(large, 600, 548)})
}

// A next hop with the least MTU of all (RFC 791 3.2): there is less to quote, but always the header and
// 8 bytes of what follows.
func TestShortQuotes(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	f.narrow(web(), 68, 68)
	of := func(length int) packet.Packet {
		return fromClient(tcp(client, vip, packet.ACK, string(make([]byte, length-40))))
	}
	f.checkAll(t, []spec{
		{"69 bytes", "cl", of(69).Frame(), "steer_too_big", tx, needed(of(69), 68, 68)},
		{"547 bytes", "cl", of(547).Frame(), "steer_too_big", tx, needed(of(547), 68, 68)},
		{"548 bytes", "cl", of(548).Frame(), "steer_too_big", tx, needed(of(548), 68, 548)},
	})
}

// The way back: the element hears it from the client's address, as it knows no other.
func TestTooBigForTheClient(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	f.narrow(web(), 1500, 1300)
	f.run("cl", fromClient(tcp(client, vip, packet.SYN, "")).Frame())
	large := fromElement(tcp(element1, client, packet.ACK, string(make([]byte, 1261))))
	f.check(spec{"to the client", "be", large.Frame(), "steer_too_big", tx, needed(large, 1300, 548)})
	large.DontFragment = false
	stack := large
	stack.Src = addrPort(vip)
	f.check(spec{"that may be fragmented", "be", large.Frame(), "steer_neighbor", pass, stack.Frame()})
}

func TestOversizeOfDSR(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	must(t, f.steering.Configure(web(), maps.Options{Mode: maps.DSR}))
	f.narrow(web(), 1400, 1400)
	large := fromClient(tcp(client, vip, packet.ACK, string(make([]byte, 1400))))
	f.check(spec{"told", "cl", large.Frame(), "steer_too_big", tx, needed(large, 1400, 548)})
	large.DontFragment = false
	f.check(spec{"the stack knows no VIP", "cl", large.Frame(), "steer_oversize", drop, nil})
}

// RFC 4443 3.2: as much of the packet as fits 1280 bytes; IPv6 is never fragmented on its way.
func TestPacketTooBig(t *testing.T) {
	f := newFixture(t)
	f.pool(web6(), element6)
	up := func(length int) []byte { return segment6(routerMAC, clMAC, client6, vip6, 64, make([]byte, length-60)) }
	told := func(length int, mtu uint32) []byte { return tooBig(up(length), clMAC, routerMAC, vip6, client6, mtu) }
	from := func(src string) []byte { return segment6(routerMAC, clMAC, src, vip6, 64, make([]byte, 1400)) }
	toElement6 := func(length int) []byte {
		return segment6(beMAC, elementMAC(1), client6, element6, 63, make([]byte, length-60))
	}
	f.narrow(web6(), 1400, 1500)
	f.checkAll(t, []spec{
		{"what just fits", "cl", up(1400), "steer_forward", redirect, toElement6(1400)},
		{"one byte more", "cl", up(1401), "steer_too_big", tx, told(1401, 1400)},
		{"in its VLAN", "cl", tagged(up(1401), 7), "steer_too_big", tx, tagged(told(1401, 1400), 7)},
		{"from no address", "cl", from("[::]:1"), "steer_oversize", drop, nil},
		{"from a group", "cl", from("[ff02::1]:1"), "steer_oversize", drop, nil},
	})
	f.narrow(web6(), 1240, 1240)
	f.checkAll(t, []spec{
		{"less than any link's MTU is never told", "cl", up(1281), "steer_too_big", tx, told(1281, 1280)},
		{"nor to who sends no more than that", "cl", up(1231), "steer_forward", redirect, toElement6(1231)},
	})
	back := func(length int) []byte {
		return segment6(elementMAC(1), beMAC, element6, client6, 64, make([]byte, length-60))
	}
	f.narrow(web6(), 1500, 1300)
	f.run("cl", up(60))
	f.check(spec{"to the client", "be", back(1301), "steer_too_big", tx, tooBig(back(1301), beMAC, elementMAC(1), client6, element6, 1300)})
}

func TestTooBigIsRateLimited(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	f.narrow(web(), 1400, 1400)
	hour := uint64(time.Hour)
	f.change(func(p *bpf.WeirParameters) {
		p.Rates[bpf.WeirBudgetBUDGET_ERRORS].Interval, p.Rates[bpf.WeirBudgetBUDGET_ERRORS].Burst = hour, 2*hour
	})
	large := fromClient(tcp(client, vip, packet.ACK, string(make([]byte, 1400))))
	for range 3 {
		f.check(spec{"within the budget", "cl", large.Frame(), "steer_too_big", tx, needed(large, 1400, 548)})
	}
	f.check(spec{"the budget is spent", "cl", large.Frame(), "steer_oversize", drop, nil})
}
