// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"fmt"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// Frame is the packet's bytes, unpadded, with lengths and checksums as they should be but
// for the faults that the Packet asks for. It panics if a field cannot be
// encoded (a payload over 65,515 bytes), because it is a mistake in the test.
func (p Packet) Frame() []byte {
	stack := append(p.ethernet(), p.network()...)
	if p.FragmentOffset == 0 {
		stack = append(stack, p.transportLayer()...)
	}
	buffer := gopacket.NewSerializeBuffer()
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(buffer, options, append(stack, gopacket.Payload(p.Payload))...); err != nil {
		panic(fmt.Sprintf("build %+v: %v", p, err))
	}
	frame := unpadded(buffer.Bytes())
	p.spoil(frame)
	return frame
}

// Datagram is the packet alone, without the Ethernet frame around it.
func (p Packet) Datagram() []byte { return p.Frame()[OffsetIP+4*len(p.Tags):] }

// unpadded is a frame that gopacket padded to Ethernet's least length, as a veth does not.
func unpadded(frame []byte) []byte {
	var v view
	kind, err := v.splitEthernet(frame)
	mustKnow(err)
	length := 40 + int(frame[v.l3+4])<<8 + int(frame[v.l3+5])
	if kind == 0x0800 {
		length = int(frame[v.l3+2])<<8 + int(frame[v.l3+3])
	}
	return frame[:v.l3+length]
}

func (p Packet) ethernet() []gopacket.SerializableLayer {
	kind := layers.EthernetTypeIPv4
	if p.Is6() {
		kind = layers.EthernetTypeIPv6
	}
	var tags []gopacket.SerializableLayer
	for i := len(p.Tags) - 1; i >= 0; i-- {
		tci := p.Tags[i].TCI
		tags = append([]gopacket.SerializableLayer{&layers.Dot1Q{
			Priority: uint8(tci >> 13), DropEligible: tci&0x1000 != 0, VLANIdentifier: tci & 0xfff, Type: kind,
		}}, tags...)
		kind = layers.EthernetType(p.Tags[i].Type)
	}
	return append([]gopacket.SerializableLayer{&layers.Ethernet{SrcMAC: p.SrcMAC, DstMAC: p.DstMAC, EthernetType: kind}}, tags...)
}

// network is the IP header with all that belongs to it.
func (p Packet) network() []gopacket.SerializableLayer {
	if !p.Is6() {
		return []gopacket.SerializableLayer{p.ipLayer()}
	}
	first, extensions := p.extensionBytes()
	ip := p.ip6Layer()
	ip.NextHeader = layers.IPProtocol(first)
	return []gopacket.SerializableLayer{ip, gopacket.Payload(extensions)}
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
		Version: 4, TOS: p.TOS, Id: uint16(p.ID), Flags: flags, FragOffset: p.FragmentOffset,
		TTL: p.TTL, Protocol: layers.IPProtocol(p.Protocol), Options: p.IPOptions,
		SrcIP: p.Src.Addr().AsSlice(), DstIP: p.Dst.Addr().AsSlice(),
	}
}

// ip6Layer lacks the type of what follows.
func (p Packet) ip6Layer() *layers.IPv6 {
	return &layers.IPv6{
		Version: 6, TrafficClass: p.TOS, FlowLabel: p.FlowLabel, HopLimit: p.TTL,
		SrcIP: p.Src.Addr().AsSlice(), DstIP: p.Dst.Addr().AsSlice(),
	}
}

// mustKnow is for errors that only a mistake in this package could make.
func mustKnow(err error) {
	if err != nil {
		panic(err)
	}
}

// spoil makes the faults in a built frame.
func (p Packet) spoil(frame []byte) {
	v, err := split(frame)
	mustKnow(err)
	if p.BadIPChecksum && !p.Is6() {
		v.header[10] ^= 1
	}
	if p.FragmentOffset != 0 {
		return
	}
	at, size := checksumField(p.Protocol)
	if p.NoUDPChecksum && p.Protocol == UDP {
		clear(v.transport[at : at+size])
	}
	if p.BadChecksum && size > 0 {
		v.transport[at] ^= 1
	}
}
