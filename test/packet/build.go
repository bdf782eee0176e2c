// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"encoding/binary"
	"fmt"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// Frame is the packet's bytes, unpadded, with lengths and checksums as they should be but
// for the faults that the Packet asks for. It panics if a field cannot be
// encoded (a payload over 65,515 bytes), because it is a mistake in the test.
func (p Packet) Frame() []byte {
	ip := p.ipLayer()
	stack := []gopacket.SerializableLayer{
		&layers.Ethernet{SrcMAC: p.SrcMAC, DstMAC: p.DstMAC, EthernetType: layers.EthernetTypeIPv4}, ip,
	}
	if p.FragmentOffset == 0 {
		stack = append(stack, p.transportLayer(ip)...)
	}
	buffer := gopacket.NewSerializeBuffer()
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(buffer, options, append(stack, gopacket.Payload(p.Payload))...); err != nil {
		panic(fmt.Sprintf("build %+v: %v", p, err))
	}
	// gopacket pads to Ethernet's least length; a veth does not.
	frame := buffer.Bytes()[:OffsetIP+int(ip.Length)]
	p.spoil(frame)
	return frame
}

func (p Packet) ipLayer() *layers.IPv4 {
	var flags layers.IPv4Flag
	if p.DontFragment {
		flags |= layers.IPv4DontFragment
	}
	if p.MoreFragments {
		flags |= layers.IPv4MoreFragments
	}
	return &layers.IPv4{
		Version: 4, TOS: p.TOS, Id: p.ID, Flags: flags, FragOffset: p.FragmentOffset,
		TTL: p.TTL, Protocol: layers.IPProtocol(p.Protocol), Options: p.IPOptions,
		SrcIP: p.Src.Addr().AsSlice(), DstIP: p.Dst.Addr().AsSlice(),
	}
}

func (p Packet) transportLayer(ip *layers.IPv4) []gopacket.SerializableLayer {
	src, dst := p.Src.Port(), p.Dst.Port()
	switch p.Protocol {
	case TCP:
		return []gopacket.SerializableLayer{p.tcpLayer(ip)}
	case UDP:
		udp := &layers.UDP{SrcPort: layers.UDPPort(src), DstPort: layers.UDPPort(dst)}
		mustKnow(udp.SetNetworkLayerForChecksum(ip))
		return []gopacket.SerializableLayer{udp}
	case ICMP:
		return []gopacket.SerializableLayer{&layers.ICMPv4{
			TypeCode: layers.CreateICMPv4TypeCode(p.ICMPType, p.ICMPCode),
			Id:       binary.BigEndian.Uint16(p.ICMPRest[:2]), Seq: binary.BigEndian.Uint16(p.ICMPRest[2:]),
		}}
	case SCTP:
		return []gopacket.SerializableLayer{&layers.SCTP{
			SrcPort: layers.SCTPPort(src), DstPort: layers.SCTPPort(dst), VerificationTag: p.VerificationTag,
		}}
	default:
		return nil
	}
}

func (p Packet) tcpLayer(ip *layers.IPv4) *layers.TCP {
	has := func(f Flags) bool { return p.Flags&f != 0 }
	tcp := &layers.TCP{
		SrcPort: layers.TCPPort(p.Src.Port()), DstPort: layers.TCPPort(p.Dst.Port()),
		Seq: p.Seq, Ack: p.Ack, Window: p.Window, Urgent: p.Urgent, Options: p.TCPOptions,
		FIN: has(FIN), SYN: has(SYN), RST: has(RST), PSH: has(PSH),
		ACK: has(ACK), URG: has(URG), ECE: has(ECE), CWR: has(CWR),
	}
	mustKnow(tcp.SetNetworkLayerForChecksum(ip))
	return tcp
}

// mustKnow is for gopacket's one error here: a network layer that it does not know.
func mustKnow(err error) {
	if err != nil {
		panic(err)
	}
}

// spoil makes the faults in a built frame.
func (p Packet) spoil(frame []byte) {
	if p.BadIPChecksum {
		frame[OffsetIP+10] ^= 1
	}
	if p.FragmentOffset != 0 {
		return
	}
	at, size := checksumField(p.Protocol)
	transport := frame[OffsetIP+headerLen(frame[OffsetIP]):]
	if p.NoUDPChecksum && p.Protocol == UDP {
		clear(transport[at : at+size])
	}
	if p.BadChecksum && size > 0 {
		transport[at] ^= 1
	}
}

// checksumField is where a protocol's checksum is in its header, and its size
// in bytes: 0 for a protocol without one.
func checksumField(protocol uint8) (at, size int) {
	switch protocol {
	case TCP:
		return 16, 2
	case UDP:
		return 6, 2
	case ICMP:
		return 2, 2
	case SCTP:
		return 8, 4
	default:
		return 0, 0
	}
}

// headerLen is an IPv4 header's length in bytes, by its first byte.
func headerLen(versionIHL byte) int { return int(versionIHL&0x0f) * 4 }
