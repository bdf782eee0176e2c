// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"encoding/binary"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// transportLayer is the transport's header, or nothing for a protocol that is not known here.
func (p Packet) transportLayer() []gopacket.SerializableLayer {
	src, dst := p.Src.Port(), p.Dst.Port()
	switch p.Protocol {
	case TCP:
		return []gopacket.SerializableLayer{p.tcpLayer()}
	case UDP:
		udp := &layers.UDP{SrcPort: layers.UDPPort(src), DstPort: layers.UDPPort(dst)}
		p.checksummed(udp)
		return []gopacket.SerializableLayer{udp}
	case UDPLite:
		return []gopacket.SerializableLayer{gopacket.Payload(p.udpLiteHeader())}
	case DCCP:
		return []gopacket.SerializableLayer{gopacket.Payload(p.dccpHeader())}
	case ICMP:
		return []gopacket.SerializableLayer{&layers.ICMPv4{
			TypeCode: layers.CreateICMPv4TypeCode(p.ICMPType, p.ICMPCode),
			Id:       binary.BigEndian.Uint16(p.ICMPRest[:2]), Seq: binary.BigEndian.Uint16(p.ICMPRest[2:]),
		}}
	case ICMPv6:
		icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(p.ICMPType, p.ICMPCode)}
		p.checksummed(icmp)
		return []gopacket.SerializableLayer{icmp, gopacket.Payload(p.ICMPRest[:])}
	case SCTP:
		return []gopacket.SerializableLayer{&layers.SCTP{
			SrcPort: layers.SCTPPort(src), DstPort: layers.SCTPPort(dst), VerificationTag: p.VerificationTag,
		}}
	default:
		return nil
	}
}

// checksummed makes a layer's checksum cover the packet's pseudo header.
func (p Packet) checksummed(layer interface {
	SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
}) {
	if p.Is6() {
		mustKnow(layer.SetNetworkLayerForChecksum(p.ip6Layer()))
		return
	}
	mustKnow(layer.SetNetworkLayerForChecksum(p.ipLayer()))
}

func (p Packet) tcpLayer() *layers.TCP {
	has := func(f Flags) bool { return p.Flags&f != 0 }
	tcp := &layers.TCP{
		SrcPort: layers.TCPPort(p.Src.Port()), DstPort: layers.TCPPort(p.Dst.Port()),
		Seq: p.Seq, Ack: p.Ack, Window: p.Window, Urgent: p.Urgent, Options: p.TCPOptions,
		FIN: has(FIN), SYN: has(SYN), RST: has(RST), PSH: has(PSH),
		ACK: has(ACK), URG: has(URG), ECE: has(ECE), CWR: has(CWR),
	}
	p.checksummed(tcp)
	return tcp
}

func (p Packet) portBytes() []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, p.Src.Port()), p.Dst.Port())
}

// udpLiteHeader is RFC 3828 3.1. A checksum of zero is not allowed, and sent as 0xffff.
func (p Packet) udpLiteHeader() []byte {
	header := append(binary.BigEndian.AppendUint16(p.portBytes(), p.Coverage), 0, 0)
	p.sum(header, 6, udpLiteCovered(header, len(header)+len(p.Payload)))
	if header[6] == 0 && header[7] == 0 {
		header[6], header[7] = 0xff, 0xff
	}
	return header
}

// udpLiteCovered is how many of the transport's bytes the checksum covers.
func udpLiteCovered(header []byte, length int) int {
	if n := int(binary.BigEndian.Uint16(header[4:])); n != 0 {
		return min(n, length)
	}
	return length
}

// dccpHeader is RFC 4340 5.1 and 5.3, with a sequence number of 48 bits and no options. What else the
// type has there (service code, reset code) is zero.
func (p Packet) dccpHeader() []byte {
	header := append(p.portBytes(), 0, p.DCCPCoverage&15, 0, 0, p.DCCPType<<1|1, 0, 0, 0)
	header = binary.BigEndian.AppendUint32(header, p.Seq)
	if dccpHasAck(p.DCCPType) {
		header = binary.BigEndian.AppendUint32(append(header, 0, 0, 0, 0), p.Ack)
	}
	if dccpHasCode(p.DCCPType) {
		header = append(header, 0, 0, 0, 0)
	}
	header[4] = byte(len(header) / 4)
	p.sum(header, 6, dccpCovered(header, len(header)+len(p.Payload)))
	return header
}

// Types of DCCP packets (RFC 4340 5.1, table 1).
const (
	DCCPRequest  = uint8(0)
	DCCPResponse = uint8(1)
	DCCPData     = uint8(2)
	DCCPAck      = uint8(3)
	DCCPCloseReq = uint8(5)
	DCCPClose    = uint8(6)
	DCCPReset    = uint8(7)
)

func dccpHasAck(kind uint8) bool { return kind != DCCPRequest && kind != DCCPData }

func dccpHasCode(kind uint8) bool {
	return kind == DCCPRequest || kind == DCCPResponse || kind == DCCPReset
}

// dccpCovered is how many of the transport's bytes the checksum covers (RFC 4340 9.2).
func dccpCovered(header []byte, length int) int {
	if n := int(header[5] & 15); n != 0 {
		return min(int(header[4])*4+(n-1)*4, length)
	}
	return length
}

// sum writes the checksum over the pseudo header and so many bytes of header and payload.
func (p Packet) sum(header []byte, at, covered int) {
	length := len(header) + len(p.Payload)
	segment := append(append(make([]byte, 0, length), header...), p.Payload...)[:covered]
	binary.BigEndian.PutUint16(header[at:], Checksum(segment, pseudoSum(p.Src.Addr(), p.Dst.Addr(), p.Protocol, length)))
}

// checksumField is where a protocol's checksum is in its header, and its size
// in bytes: 0 for a protocol without one.
func checksumField(protocol uint8) (at, size int) {
	switch protocol {
	case TCP:
		return 16, 2
	case UDP, UDPLite, DCCP:
		return 6, 2
	case ICMP, ICMPv6:
		return 2, 2
	case SCTP:
		return 8, 4
	default:
		return 0, 0
	}
}
