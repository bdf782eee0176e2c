// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/weir-lb/weir/test/packet"
)

// edit is a frame with one byte, or the two of a network order word, changed.
func edit(frame []byte, at int, value ...byte) []byte {
	frame = bytes.Clone(frame)
	copy(frame[at:], value)
	return frame
}

// Where fields lie in a frame without IP options.
const (
	atEtherType = 12
	atVersion   = packet.OffsetIP
	atTotal     = packet.OffsetIP + 2
	atFragment  = packet.OffsetIP + 6
	atDoff      = packet.OffsetTransport + 12
	atUDPLength = packet.OffsetTransport + 4
)

func TestNotOurs(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	segment := fromClient(tcp(client, vip, packet.SYN, "")).Frame()
	arp := edit(segment, atEtherType, 8, 6)
	other := packet.New(packet.SCTP, client, vip)
	gre := packet.New(47, client, vip)
	gre.Payload = segment[14:]
	f.checkAll(t, []spec{
		{"ARP", "cl", arp, "not_ours", pass, nil},
		{"IPv4 in a frame of IPv6", "cl", edit(segment, atEtherType, 0x86, 0xdd), "malformed", pass, nil},
		{"a tagged VLAN", "cl", edit(segment, atEtherType, 0x81, 0), "not_ours", pass, nil},
		{"a length instead of a type", "cl", edit(segment, atEtherType, 0, 46), "not_ours", pass, nil},
		{"ICMP to a VIP", "cl", fromClient(packet.NewICMP("10.64.0.1", "10.0.100.1", 8, 0)).Frame(), "not_ours", pass, nil},
		{"another protocol to a VIP", "cl", gre.Frame(), "not_ours", pass, nil},
		{"SCTP at the port of a TCP service", "cl", other.Frame(), "not_ours", pass, nil},
		{"another port of a VIP", "cl", fromClient(tcp(client, "10.0.100.1:81", packet.SYN, "")).Frame(), "not_ours", pass, nil},
		{"UDP at the port of a TCP service", "cl", fromClient(packet.NewUDP(client, vip, nil)).Frame(), "not_ours", pass, nil},
		{"TCP at the port of a UDP service", "cl", fromClient(tcp(client, vipDNS, packet.SYN, "")).Frame(), "not_ours", pass, nil},
		{"another host", "cl", fromClient(tcp(client, "10.0.20.1:80", packet.SYN, "")).Frame(), "not_ours", pass, nil},
		{"from an element, of no flow", "be", fromElement(tcp(element1, client, packet.ACK, "")).Frame(), "not_ours", pass, nil},
	})
}

func TestMalformed(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	f.pool(dns(), "10.0.20.3:5353")
	segment := fromClient(tcp(client, vip, packet.ACK, "payload")).Frame()
	datagram := fromClient(packet.NewUDP(client, vipDNS, []byte("payload"))).Frame()
	echo := fromClient(packet.NewICMP("10.64.0.1", "10.0.100.1", 8, 0)).Frame()
	total := func(frame []byte, n int) []byte { return edit(frame, atTotal, byte(n>>8), byte(n)) }
	length := func(n int) []byte { return edit(datagram, atUDPLength, byte(n>>8), byte(n)) }
	longer := append(bytes.Clone(datagram), make([]byte, 12)...)
	f.checkAll(t, []spec{
		{"IP version 6 in an IPv4 frame", "cl", edit(segment, atVersion, 0x65), "malformed", pass, nil},
		{"IP header of 16 bytes", "cl", edit(segment, atVersion, 0x44), "malformed", pass, nil},
		{"IP header longer than the packet", "cl", edit(total(segment, 40), atVersion, 0x4f), "malformed", pass, nil},
		{"IP length below the header's", "cl", total(segment, 19), "malformed", pass, nil},
		{"IP length below the header's, no ports", "cl", total(echo, 19), "malformed", pass, nil},
		{"IP length beyond the frame", "cl", total(segment, 48), "malformed", pass, nil},
		{"the greatest IP length", "cl", total(segment, 0xffff), "malformed", pass, nil},
		{"no room for ports", "cl", total(segment, 23), "malformed", pass, nil},
		{"TCP: only the ports", "cl", total(segment, 24), "steer_malformed", drop, nil},
		{"TCP: a byte short of a header", "cl", total(segment, 39), "steer_malformed", drop, nil},
		{"TCP header of 16 bytes", "cl", edit(segment, atDoff, 0x40), "steer_malformed", drop, nil},
		{"TCP header of none", "cl", edit(segment, atDoff, 0), "steer_malformed", drop, nil},
		{"TCP header longer than the segment", "cl", edit(segment, atDoff, 0x70), "steer_malformed", drop, nil},
		{"UDP: only the ports", "cl", total(datagram, 24), "steer_malformed", drop, nil},
		{"UDP: the header is Ethernet's padding", "cl", total(longer, 27), "steer_malformed", drop, nil},
		{"UDP length 0", "cl", length(0), "steer_malformed", drop, nil},
		{"UDP length below the header's", "cl", length(7), "steer_malformed", drop, nil},
		{"UDP length beyond the packet", "cl", length(16), "steer_malformed", drop, nil},
		{"UDP length beyond the packet, within the frame", "cl", edit(longer, atUDPLength, 0, 16), "steer_malformed", drop, nil},
	})
}

// A malformed packet of no service is the stack's.
func TestMalformedOfOthersPasses(t *testing.T) {
	f := newFixture(t)
	other := fromClient(tcp(client, "10.0.20.1:80", packet.ACK, ""))
	f.checkAll(t, []spec{
		{"bad TCP header", "cl", edit(other.Frame(), atDoff, 0x40), "not_ours", pass, nil},
		{"bad UDP length", "cl", edit(fromClient(packet.NewUDP(client, "10.0.20.1:53", nil)).Frame(), atUDPLength, 0, 7), "not_ours", pass, nil},
	})
}

func TestFragmentBits(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	whole := fromClient(tcp(client, vip, packet.SYN, ""))
	f.checkAll(t, []spec{
		{"don't fragment is no fragment", "cl", whole.Frame(), "steer_forward", redirect, toElement(whole, element1).Frame()},
		{"the reserved bit is no fragment", "cl", checksummed(edit(whole.Frame(), atFragment, 0x80)), "steer_forward", redirect,
			checksummed(edit(toElement(whole, element1).Frame(), atFragment, 0x80))},
	})
}

// checksummed is the frame with the IP checksum that fits.
func checksummed(frame []byte) []byte {
	header := frame[packet.OffsetIP:packet.OffsetTransport]
	clear(header[10:12])
	binary.BigEndian.PutUint16(header[10:], packet.Checksum(header, 0))
	return frame
}

// Every kind of packet, cut off at every length that the kernel accepts (14 bytes and more). With
// the IP length that it had, it is malformed; with one that agrees with what is left, it is the
// transport's header that lacks something, and cut tells what becomes of that.
func TestTruncatedAtEveryLength(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	f.pool(dns(), "10.0.20.3:5353")
	for _, tt := range []struct {
		name   string
		packet packet.Packet
		header int // bytes of the transport's
		cut    string
	}{
		{"SYN", tcp(client, vip, packet.SYN, ""), 20, "steer_malformed"},
		{"segment", tcp(client, vip, packet.ACK, "data"), 20, "steer_malformed"},
		{"RST", tcp(client, vip, packet.RST, ""), 20, "steer_malformed"},
		{"SYN with IP options", withOptions(tcp(client, vip, packet.SYN, "")), 20, "steer_malformed"},
		{"datagram", packet.NewUDP(client, vipDNS, []byte("query")), 8, "steer_malformed"},
		{"of another host", tcp(client, "10.0.20.1:80", packet.SYN, ""), 20, "not_ours"},
		{"from an element", tcp(element1, client, packet.ACK, "data"), 20, "not_ours"},
		{"stranger's SYN", tcp(client, registrar, packet.SYN, ""), 20, "guard_malformed"},
		{"stranger's segment", tcp(client, registrar, packet.ACK, "data"), 20, "guard_malformed"},
		{"stranger's RST", tcp(client, registrar, packet.RST, ""), 20, "guard_malformed"},
		{"stranger's SYN with IP options", withOptions(tcp(client, registrar, packet.SYN, "")), 20, "guard_malformed"},
		{"datagram at the guard", packet.NewUDP(client, registrar, []byte("query")), 8, "guard_not_tcp"},
		{"SCTP at the guard", packet.New(packet.SCTP, client, registrar), 12, "guard_not_tcp"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sub := *f
			sub.TB = t
			sub.truncate(tt.packet.Frame(), tt.header, tt.cut)
		})
	}
	t.Run("ICMP", func(t *testing.T) {
		sub := *f
		sub.TB = t
		frame := packet.NewICMP("10.64.0.1", "10.0.100.1", 8, 0).Frame()
		for length := 14; length < len(frame); length++ {
			sub.check(spec{"cut", "cl", frame[:length], "malformed", pass, nil})
		}
	})
}

func (f *fixture) truncate(frame []byte, header int, cut string) {
	f.Helper()
	f.forget()
	transport := packet.OffsetIP + int(frame[atVersion]&15)*4
	for length := 14; length < len(frame); length++ {
		f.check(spec{"cut", "cl", frame[:length], "malformed", pass, nil})
		if length < transport {
			continue
		}
		agreeing := edit(frame[:length], atTotal, 0, byte(length-packet.OffsetIP))
		got := f.run("cl", agreeing) // judges that there is one verdict, whatever it is
		switch left := length - transport; {
		case left < 4 && got.verdict != "malformed":
			f.Errorf("%d bytes left of the transport: %s, want malformed", left, got.verdict)
		case left >= 4 && left < header && got.verdict != cut:
			f.Errorf("%d bytes left of the transport: %s, want %s", left, got.verdict, cut)
		}
	}
}
