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
// looked into: all after its IP headers is Payload, and its ports are 0.
func Decode(frame []byte) (Packet, error) {
	v, err := split(frame)
	if err != nil {
		return Packet{}, err
	}
	p := Packet{
		DstMAC: net.HardwareAddr(frame[0:6]), SrcMAC: net.HardwareAddr(frame[6:12]), Tags: v.tags,
		Protocol: v.protocol, ID: v.id, MoreFragments: v.more, FragmentOffset: v.offset, Extensions: v.extensions,
		Src: netip.AddrPortFrom(v.src, 0), Dst: netip.AddrPortFrom(v.dst, 0),
	}
	if err := p.decodeIP(v); err != nil {
		return Packet{}, err
	}
	if !v.isWhole() {
		p.Payload = bytes.Clone(v.transport)
		return p, nil
	}
	return p, p.decodeTransport(v)
}

func (p *Packet) decodeIP(v *view) error {
	if v.is6() {
		word := binary.BigEndian.Uint32(v.header)
		p.TOS, p.FlowLabel, p.TTL = uint8(word>>20), word&0xfffff, v.header[7]
		return nil
	}
	var ip layers.IPv4
	whole := append(bytes.Clone(v.header), v.transport...)
	if err := ip.DecodeFromBytes(whole, gopacket.NilDecodeFeedback); err != nil {
		return err
	}
	p.TOS, p.TTL, p.IPOptions = ip.TOS, ip.TTL, ip.Options
	p.DontFragment = ip.Flags&layers.IPv4DontFragment != 0
	p.BadIPChecksum = Checksum(v.header, 0) != 0
	return nil
}

func (p *Packet) decodeTransport(v *view) error {
	transport := v.transport
	if err := v.verifyLengths(); err != nil {
		return err
	}
	p.BadChecksum = v.verifyChecksum() != nil
	header := leastHeader(p.Protocol)
	switch p.Protocol {
	case TCP:
		return p.decodeTCP(transport)
	case DCCP:
		p.decodeDCCP(transport)
		return nil
	case UDP:
		p.ports(transport)
		p.NoUDPChecksum = binary.BigEndian.Uint16(transport[6:]) == 0
		p.BadChecksum = p.BadChecksum && !p.NoUDPChecksum
	case UDPLite:
		p.ports(transport)
		p.Coverage = binary.BigEndian.Uint16(transport[4:])
	case ICMP, ICMPv6:
		p.ICMPType, p.ICMPCode = transport[0], transport[1]
		copy(p.ICMPRest[:], transport[4:8])
	case SCTP:
		p.ports(transport)
		p.VerificationTag = binary.BigEndian.Uint32(transport[4:])
	}
	p.Payload = bytes.Clone(transport[header:])
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

// decodeDCCP leaves options and whatever else is in the header out.
func (p *Packet) decodeDCCP(packet []byte) {
	p.ports(packet)
	p.DCCPType, p.DCCPCoverage = packet[8]>>1&15, packet[5]&15
	at := dccpGeneric(packet)
	p.Seq = binary.BigEndian.Uint32(packet[at-4:])
	if at == 12 {
		p.Seq &= 0xffffff
	}
	size := int(packet[4]) * 4
	if dccpHasAck(p.DCCPType) && at == 16 && size >= 24 {
		p.Ack = binary.BigEndian.Uint32(packet[20:])
	}
	p.Payload = bytes.Clone(packet[size:])
}

func (p *Packet) ports(transport []byte) {
	p.Src = netip.AddrPortFrom(p.Src.Addr(), binary.BigEndian.Uint16(transport[0:]))
	p.Dst = netip.AddrPortFrom(p.Dst.Addr(), binary.BigEndian.Uint16(transport[2:]))
}
