// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"net"
	"net/netip"
	"strings"

	"github.com/gopacket/gopacket/layers"
)

// Where headers begin in a frame that Frame builds without IP options.
const (
	OffsetIP        = 14
	OffsetTransport = OffsetIP + 20
)

// Protocol numbers of the IPv4 header.
const (
	ICMP = uint8(layers.IPProtocolICMPv4)
	TCP  = uint8(layers.IPProtocolTCP)
	UDP  = uint8(layers.IPProtocolUDP)
	SCTP = uint8(layers.IPProtocolSCTP)
)

// Packet is an IPv4 packet in an Ethernet frame. Fields of another protocol
// than the packet's own are ignored.
type Packet struct {
	SrcMAC, DstMAC net.HardwareAddr
	Protocol       uint8
	Src, Dst       netip.AddrPort // the ports are ignored for ICMP and for other protocols than named above

	TOS            uint8
	ID             uint16
	TTL            uint8
	DontFragment   bool
	MoreFragments  bool
	FragmentOffset uint16 // in units of 8 bytes; other than 0, the Payload follows the IP header at once
	IPOptions      []layers.IPv4Option

	Flags      Flags
	Seq, Ack   uint32
	Window     uint16
	Urgent     uint16
	TCPOptions []layers.TCPOption

	ICMPType, ICMPCode uint8
	ICMPRest           [4]byte // the second word of the header: identifier and sequence, or MTU

	VerificationTag uint32 // SCTP

	Payload []byte

	// Faults. A UDP checksum of zero means that there is none (RFC 768).
	BadIPChecksum bool // off by one bit
	BadChecksum   bool // the transport's: off by one bit
	NoUDPChecksum bool
}

// Flags are the flags of a TCP header.
type Flags uint8

// The flags by their bits in the header's 14th byte (RFC 9293 3.1).
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// String is the flags' names joined by a bar, as in SYN|ACK.
func (f Flags) String() string {
	var set []string
	for i, name := range []string{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"} {
		if f&(1<<i) != 0 {
			set = append(set, name)
		}
	}
	if len(set) == 0 {
		return "none"
	}
	return strings.Join(set, "|")
}

// New is a packet between two hosts with unremarkable fields: a TTL of 64, not
// to be fragmented, a window of 64,240. Source and destination are texts as in
// 10.0.0.1:80; New panics if one is not, because it is a mistake in the test.
func New(protocol uint8, src, dst string) Packet {
	return Packet{
		SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2},
		Protocol: protocol, Src: netip.MustParseAddrPort(src), Dst: netip.MustParseAddrPort(dst),
		TTL: 64, DontFragment: true, Window: 64240,
	}
}

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

// NewICMP is an ICMP message. Source and destination have no ports here.
func NewICMP(src, dst string, icmpType, icmpCode uint8) Packet {
	p := New(ICMP, src+":0", dst+":0")
	p.ICMPType, p.ICMPCode = icmpType, icmpCode
	return p
}

// Reply is a packet with source and destination exchanged.
func (p Packet) Reply() Packet {
	p.Src, p.Dst = p.Dst, p.Src
	p.SrcMAC, p.DstMAC = p.DstMAC, p.SrcMAC
	return p
}
