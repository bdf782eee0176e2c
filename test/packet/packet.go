// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"net"
	"net/netip"

	"github.com/gopacket/gopacket/layers"
)

// Where headers begin in a frame that Frame builds without VLAN tags, IP options and extension headers.
const (
	OffsetIP         = 14
	OffsetTransport  = OffsetIP + 20
	OffsetTransport6 = OffsetIP + 40
)

// Protocol numbers of the IP headers.
const (
	ICMP    = uint8(layers.IPProtocolICMPv4)
	IPIP    = uint8(layers.IPProtocolIPv4) // a whole IPv4 packet follows
	TCP     = uint8(layers.IPProtocolTCP)
	UDP     = uint8(layers.IPProtocolUDP)
	DCCP    = uint8(33)
	IPv6    = uint8(layers.IPProtocolIPv6) // a whole IPv6 packet follows
	ICMPv6  = uint8(layers.IPProtocolICMPv6)
	SCTP    = uint8(layers.IPProtocolSCTP)
	UDPLite = uint8(layers.IPProtocolUDPLite)
)

// Packet is an IP packet in an Ethernet frame. It is of the family of its addresses. Fields of another
// protocol or family than the packet's own are ignored.
type Packet struct {
	SrcMAC, DstMAC net.HardwareAddr
	Tags           []Tag          // of VLANs, the outer one first
	Protocol       uint8          // behind the extension headers
	Src, Dst       netip.AddrPort // the ports are ignored for protocols without

	TOS            uint8  // IPv6: the traffic class
	FlowLabel      uint32 // IPv6: 20 bits
	ID             uint32 // IPv4: 16 bits; IPv6: of the fragment header
	TTL            uint8  // IPv6: the hop limit
	DontFragment   bool   // IPv4
	MoreFragments  bool
	FragmentOffset uint16 // in units of 8 bytes; other than 0, the Payload follows the IP headers at once
	IPOptions      []layers.IPv4Option
	Extensions     []Extension // IPv6; a fragment that lists no fragment header has it behind the others

	Flags      Flags
	Seq, Ack   uint32 // DCCP: the lower bits
	Window     uint16
	Urgent     uint16
	TCPOptions []layers.TCPOption

	ICMPType, ICMPCode uint8   // of both families
	ICMPRest           [4]byte // the second word of the header: identifier and sequence, or MTU

	VerificationTag uint32 // SCTP; the Payload is its chunks (see Chunk)

	Coverage uint16 // UDP-Lite: bytes that the checksum covers, 0: all (RFC 3828 3.1)

	DCCPType     uint8 // RFC 4340 5.1
	DCCPCoverage uint8 // 0: all; 1: no data; n: (n - 1) * 4 bytes of data (RFC 4340 9.2)

	Payload []byte

	// Faults. A UDP checksum of zero means that there is none (RFC 768).
	BadIPChecksum bool // off by one bit
	BadChecksum   bool // the transport's: off by one bit
	NoUDPChecksum bool
}

// Tag is a VLAN tag as it lies in the frame (IEEE 802.1Q 9.6).
type Tag struct {
	Type uint16 // Dot1Q or Dot1AD
	TCI  uint16 // priority (3 bits), drop eligible (1), VLAN (12)
}

// EtherTypes of VLAN tags: the customer's, and the service provider's around it.
const (
	Dot1Q  = uint16(layers.EthernetTypeDot1Q)
	Dot1AD = uint16(layers.EthernetTypeQinQ)
)

// New is a packet between two hosts with unremarkable fields: a TTL of 64, not
// to be fragmented, a window of 64,240. Source and destination are texts as in
// 10.0.0.1:80 or [fd00::1]:80; New panics if one is not, because it is a mistake in the test.
func New(protocol uint8, src, dst string) Packet {
	p := Packet{
		SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2},
		Protocol: protocol, Src: netip.MustParseAddrPort(src), Dst: netip.MustParseAddrPort(dst),
		TTL: 64, Window: 64240,
	}
	p.DontFragment = !p.Is6()
	return p
}

// Is6 says whether the packet is IPv6.
func (p Packet) Is6() bool { return p.Src.Addr().Is6() }

// NewTCP is a TCP segment.
func NewTCP(src, dst string, flags Flags) Packet {
	p := New(TCP, src, dst)
	p.Flags = flags
	return p
}

// NewUDP is a UDP datagram.
func NewUDP(src, dst string, payload []byte) Packet {
	p := New(UDP, src, dst)
	p.Payload = payload
	return p
}

// NewICMP is an ICMP message of the addresses' family. Source and destination have no ports here.
func NewICMP(src, dst string, icmpType, icmpCode uint8) Packet {
	at := func(addr string) string { return netip.AddrPortFrom(netip.MustParseAddr(addr), 0).String() }
	p := New(ICMP, at(src), at(dst))
	if p.Is6() {
		p.Protocol = ICMPv6
	}
	p.ICMPType, p.ICMPCode = icmpType, icmpCode
	return p
}

// Reply is a packet with source and destination exchanged.
func (p Packet) Reply() Packet {
	p.Src, p.Dst = p.Dst, p.Src
	p.SrcMAC, p.DstMAC = p.DstMAC, p.SrcMAC
	return p
}

// Tagged is the packet behind VLAN tags of these VLANs: the innermost is 802.1Q, those around it are
// 802.1ad.
func (p Packet) Tagged(vlans ...uint16) Packet {
	p.Tags = nil
	for i, vlan := range vlans {
		tag := Tag{Dot1AD, vlan}
		if i == len(vlans)-1 {
			tag.Type = Dot1Q
		}
		p.Tags = append(p.Tags, tag)
	}
	return p
}
