// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"bytes"
	"net/netip"
	"testing"
)

const (
	client6 = "[fd64::1]:40000"
	vip6    = "[fd00:100::1]:80"
)

type knownFrame struct {
	packet Packet
	frame  string
}

func get(src, dst string) Packet {
	p := NewTCP(src, dst, ACK|PSH)
	p.Seq, p.Ack, p.Payload = 0x01020304, 0x05060708, []byte("GET")
	if !p.Is6() {
		p.ID = 0x1234
	}
	return p
}

func withPort(at netip.AddrPort, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(at.Addr(), port)
}

// known6 are more frames that another program made, from the RFCs: IPv6, VLAN tags, and what is not TCP,
// UDP and ICMP.
func known6() map[string]knownFrame {
	const dns6 = "[fd00:100::1]:53"
	segment := get(client6, vip6)
	segment.TOS, segment.FlowLabel = 0xb8, 0xabcde
	extended := NewUDP(client6, dns6, []byte("abc"))
	extended.ID = 0xcafebabe
	extended.Extensions = []Extension{
		{HopByHop, []byte{5, 2, 0, 0, 1, 0}}, {Destination, make([]byte, 14)}, {Routing, []byte{4, 0, 0, 0, 0, 0}}, {Type: Fragment},
		{AH, []byte{0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}},
	}
	echo := NewICMP("fd64::1", "fd00:100::1", 128, 0)
	echo.ICMPRest, echo.Payload = [4]byte{0, 7, 0, 9}, []byte("ping")
	init := NewSCTP(client6, "[fd00:100::1]:3863", 0, Init(0xdeadbeef, 0, 12, 0, 4), Chunk{Type: ChunkHeartbeat, Value: []byte("x")})
	return map[string]knownFrame{
		"TCP over IPv6":     {segment, "02000000000202000000000186dd6b8abcde00170640fd640000000000000000000000000001fd0001000000000000000000000000019c40005001020304050607085018faf071870000474554"},
		"extension headers": {extended, "02000000000202000000000186dd60000000004b0040fd640000000000000000000000000001fd0001000000000000000000000000013c000502000001002b0100000000000000000000000000002c0004000000000033000000cafebabe11040000000102030405060708090a0b0c0d0e0f101112139c400035000ba398616263"},
		"ICMPv6":            {echo, "02000000000202000000000186dd60000000000c3a40fd640000000000000000000000000001fd0001000000000000000000000000018000a5700007000970696e67"},
		"SCTP over IPv6":    {init, "02000000000202000000000186dd60000000002c8440fd640000000000000000000000000001fd0001000000000000000000000000019c400f1700000000683043a301000018deadbeef00010000000a000a00000001000c00040400000578000000"},
	}
}

// knownPartial are frames of the transports whose checksums may leave something out.
func knownPartial() map[string]knownFrame {
	lite := New(UDPLite, client, "10.0.100.1:53").Tagged(100)
	lite.Tags[0].TCI |= 3 << 13
	lite.ID, lite.Coverage, lite.Payload = 0x1234, 9, []byte("abc")
	all := New(UDPLite, client6, "[fd00:100::1]:53")
	all.Payload = []byte("abc")
	response := New(DCCP, client6, vip6).Tagged(2, 3)
	response.DCCPType, response.DCCPCoverage, response.Seq, response.Ack = DCCPResponse, 2, 0x01020304, 0x05060708
	response.Payload = []byte("abcdef")
	data := New(DCCP, client, vip)
	data.ID, data.DCCPType, data.DCCPCoverage, data.Seq, data.Payload = 0x1234, DCCPData, 1, 7, []byte("abc")
	return map[string]knownFrame{
		"UDP-Lite, a part, in a VLAN": {lite, "0200000000020200000000018100606408004500001f123440004088a7210a0009010a0064019c400035000980eb616263"},
		"UDP-Lite, all":               {all, "02000000000202000000000186dd60000000000b8840fd640000000000000000000000000001fd0001000000000000000000000000019c4000350000a32c616263"},
		"DCCP, a part, two tags":      {response, "02000000000202000000000188a800028100000386dd6000000000222140fd640000000000000000000000000001fd0001000000000000000000000000019c400050070288e70300000001020304000000000506070800000000616263646566"},
		"DCCP, no data":               {data, "020000000002020000000001080045000027123440004021a7800a0009010a0064019c4000500401d9300500000000000007616263"},
	}
}

// knownTunnels are packets in others.
func knownTunnels() map[string]knownFrame {
	outer4 := New(IPIP, "10.0.20.254:0", "10.0.20.1:0")
	outer4.ID = 0x1234
	outer6 := New(IPv6, "[fd20::fe]:0", "[fd20::1]:0")
	gue4, gue6 := outer4, outer6
	gue4.Src, gue4.Dst = withPort(gue4.Src, 50000), withPort(gue4.Dst, PortGUE)
	gue6.Src, gue6.Dst = withPort(gue6.Src, 50000), withPort(gue6.Dst, PortGUE)
	in4, in6 := get(client, vip), get(client6, vip6)
	return map[string]knownFrame{
		"IPv4 in IPv4":        {in4.In(outer4), "02000000000202000000000108004500003f123440004004eb880a0014fe0a0014014500002b123440004006a7970a0009010a0064019c40005001020304050607085018faf0ebec0000474554"},
		"IPv6 in IPv4":        {in6.In(outer4), "020000000002020000000001080045000053123440004029eb4f0a0014fe0a0014016000000000170640fd640000000000000000000000000001fd0001000000000000000000000000019c40005001020304050607085018faf071870000474554"},
		"IPv4 in IPv6":        {in4.In(outer6), "02000000000202000000000186dd60000000002b0440fd2000000000000000000000000000fefd2000000000000000000000000000014500002b123440004006a7970a0009010a0064019c40005001020304050607085018faf0ebec0000474554"},
		"IPv6 in IPv6":        {in6.In(outer6), "02000000000202000000000186dd60000000003f2940fd2000000000000000000000000000fefd2000000000000000000000000000016000000000170640fd640000000000000000000000000001fd0001000000000000000000000000019c40005001020304050607085018faf071870000474554"},
		"IPv6 in GUE in IPv4": {in6.GUE(gue4), "02000000000202000000000108004500005f123440004011eb5b0a0014fe0a001401c35017c0004b80e5002900006000000000170640fd640000000000000000000000000001fd0001000000000000000000000000019c40005001020304050607085018faf071870000474554"},
		"IPv4 in GUE in IPv6": {in4.GUE(gue6), "02000000000202000000000186dd6000000000371140fd2000000000000000000000000000fefd200000000000000000000000000001c35017c00037aa4a000400004500002b123440004006a7970a0009010a0064019c40005001020304050607085018faf0ebec0000474554"},
		"IPv4 in UDP in IPv4": {in4.DirectGUE(gue4), "020000000002020000000001080045000047123440004011eb730a0014fe0a001401c35017c0003368984500002b123440004006a7970a0009010a0064019c40005001020304050607085018faf0ebec0000474554"},
	}
}

func allKnown() map[string]knownFrame {
	all := map[string]knownFrame{}
	for _, some := range []map[string]knownFrame{known(), known6(), knownPartial(), knownTunnels()} {
		for name, k := range some {
			all[name] = k
		}
	}
	return all
}

func TestInner(t *testing.T) {
	for name, k := range knownTunnels() {
		frame := unhex(t, k.frame)
		want := get(client, vip)
		if bytes.Contains(frame, get(client6, vip6).Datagram()) {
			want = get(client6, vip6)
		}
		if diff := Diff(want.Frame(), Inner(frame)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	for name, k := range known6() {
		if inner := Inner(unhex(t, k.frame)); inner != nil {
			t.Errorf("%s has a packet inside: %x", name, inner)
		}
	}
}

// A fault of the packet inside is one of the frame, and told as such.
func TestFaultInside(t *testing.T) {
	bad := get(client, vip)
	bad.BadChecksum = true
	outer := New(IPIP, "10.0.20.254:0", "10.0.20.1:0")
	if got := text(Verify(bad.In(outer).Frame())); got != "inside: TCP checksum eaec: want ebec" {
		t.Errorf("verify: %s", got)
	}
	if got := Diff(get(client, vip).In(outer).Frame(), bad.In(outer).Frame()); got !=
		"inside, bad checksum: want false, got true\ngot has: inside: TCP checksum eaec: want ebec" {
		t.Errorf("diff: %s", got)
	}
}

func TestChunks(t *testing.T) {
	init := known6()["SCTP over IPv6"].packet
	chunks, err := Chunks(init.Payload)
	if err != nil || len(chunks) != 2 || chunks[0].Type != ChunkInit || string(chunks[1].Value) != "x" {
		t.Errorf("%+v, %v", chunks, err)
	}
	for _, bad := range [][]byte{{1}, {1, 0, 0, 3}, {1, 0, 0, 5}} {
		if _, err := Chunks(bad); err == nil {
			t.Errorf("%x: no error", bad)
		}
	}
}

func TestDamage(t *testing.T) {
	for name, k := range allKnown() {
		frame := unhex(t, k.frame)
		bad := BadChecksum(frame)
		_, size := checksumField(k.packet.Protocol)
		if (bad != nil) != (size > 0) || bad != nil && Verify(bad) == nil {
			t.Errorf("%s: bad checksum %x passes: %v", name, bad, Verify(bad))
		}
		if bad := BadIPChecksum(frame); (bad == nil) != k.packet.Is6() || bad != nil && Verify(bad) == nil {
			t.Errorf("%s: bad IP checksum %x passes", name, bad)
		}
	}
}

// What is cut with lengths that agree lacks nothing but the transport's bytes.
func TestCut(t *testing.T) {
	for name, k := range allKnown() {
		frame := unhex(t, k.frame)
		v, err := split(frame)
		if err != nil {
			t.Fatal(err)
		}
		for length := range frame {
			cut := Cut(frame, length)
			if (cut != nil) != (length >= v.l3+len(v.header)) {
				t.Errorf("%s of %d bytes cut at %d: %x", name, len(frame), length, cut)
			}
			if cut == nil {
				continue
			}
			if _, err := split(cut); err != nil && length >= v.transportAt() {
				t.Errorf("%s cut at %d: %v", name, length, err)
			}
			if length < HeadersEnd(frame) && Verify(cut) == nil {
				t.Errorf("%s cut at %d, before the end of its headers, passes", name, length)
			}
		}
	}
}
