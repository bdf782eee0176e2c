// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// Decode is the inverse of Frame. The faults of the result are what Verify
// finds in checksums; other faults of a frame are errors here. A fragment is not
// looked into: all after its IP header is Payload, and its ports are 0.
func Decode(frame []byte) (Packet, error) {
	whole, header, err := splitIP(frame)
	if err != nil {
		return Packet{}, err
	}
	var ip layers.IPv4
	if err := ip.DecodeFromBytes(whole, gopacket.NilDecodeFeedback); err != nil {
		return Packet{}, err
	}
	src, _ := netip.AddrFromSlice(ip.SrcIP)
	dst, _ := netip.AddrFromSlice(ip.DstIP)
	p := Packet{
		DstMAC: net.HardwareAddr(frame[0:6]), SrcMAC: net.HardwareAddr(frame[6:12]),
		Protocol: uint8(ip.Protocol), TOS: ip.TOS, ID: ip.Id, TTL: ip.TTL,
		DontFragment:  ip.Flags&layers.IPv4DontFragment != 0,
		MoreFragments: ip.Flags&layers.IPv4MoreFragments != 0, FragmentOffset: ip.FragOffset,
		IPOptions: ip.Options, BadIPChecksum: Checksum(header, 0) != 0,
		Src: netip.AddrPortFrom(src, 0), Dst: netip.AddrPortFrom(dst, 0),
	}
	if p.FragmentOffset != 0 || p.MoreFragments {
		p.Payload = bytes.Clone(ip.Payload)
		return p, nil
	}
	return p, p.decodeTransport(header, ip.Payload)
}

func (p *Packet) decodeTransport(header, transport []byte) error {
	if err := verifyLengths(p.Protocol, transport); err != nil {
		return err
	}
	p.BadChecksum = verifyChecksum(header, transport) != nil
	switch p.Protocol {
	case TCP:
		return p.decodeTCP(transport)
	case UDP:
		p.ports(transport)
		p.NoUDPChecksum = binary.BigEndian.Uint16(transport[6:]) == 0
		p.Payload = bytes.Clone(transport[8:])
	case ICMP:
		p.ICMPType, p.ICMPCode = transport[0], transport[1]
		copy(p.ICMPRest[:], transport[4:8])
		p.Payload = bytes.Clone(transport[8:])
	case SCTP:
		p.ports(transport)
		p.VerificationTag = binary.BigEndian.Uint32(transport[4:])
		p.Payload = bytes.Clone(transport[12:])
	default:
		p.Payload = bytes.Clone(transport)
	}
	return nil
}

func (p *Packet) decodeTCP(segment []byte) error {
	var tcp layers.TCP
	if err := tcp.DecodeFromBytes(segment, gopacket.NilDecodeFeedback); err != nil {
		return fmt.Errorf("TCP header: %w", err)
	}
	p.ports(segment)
	p.Seq, p.Ack, p.Window, p.Urgent = tcp.Seq, tcp.Ack, tcp.Window, tcp.Urgent
	p.Flags = Flags(segment[13])
	p.TCPOptions = tcp.Options
	p.Payload = bytes.Clone(tcp.Payload)
	return nil
}

func (p *Packet) ports(transport []byte) {
	p.Src = netip.AddrPortFrom(p.Src.Addr(), binary.BigEndian.Uint16(transport[0:]))
	p.Dst = netip.AddrPortFrom(p.Dst.Addr(), binary.BigEndian.Uint16(transport[2:]))
}
