// SPDX-License-Identifier: Apache-2.0

package packet

import "encoding/binary"

// PortGUE is where packets in UDP are sent to (IANA: GUE).
const PortGUE = 6080

// In is the packet inside another one, IP in IP (RFC 2003, RFC 2473): outer says all but what it carries.
func (p Packet) In(outer Packet) Packet {
	outer.Protocol, outer.Payload = IPIP, p.Datagram()
	if p.Is6() {
		outer.Protocol = IPv6
	}
	return outer
}

// GUE is the packet inside a UDP datagram, behind a header of generic UDP encapsulation without options
// (draft-ietf-intarea-gue-09 3.1, variant 0): outer says all but its protocol and what it carries.
func (p Packet) GUE(outer Packet) Packet {
	header := []byte{0, IPIP, 0, 0}
	if p.Is6() {
		header[1] = IPv6
	}
	outer.Protocol, outer.Payload = UDP, append(header, p.Datagram()...)
	return outer
}

// DirectGUE is the packet inside a UDP datagram without any header between them (variant 1, 4.1).
func (p Packet) DirectGUE(outer Packet) Packet {
	outer.Protocol, outer.Payload = UDP, p.Datagram()
	return outer
}

// Inner is the packet that a tunnel's frame carries, in a frame with the same Ethernet addresses, and nil if
// the frame is none of a tunnel.
func Inner(frame []byte) []byte {
	v, err := split(frame)
	if err != nil || !v.isWhole() || v.verifyLengths() != nil {
		return nil
	}
	inner := v.inner()
	if inner != nil {
		copy(inner, frame[:12])
	}
	return inner
}

// inner is a frame with the packet in the transport, if it is one.
func (v *view) inner() []byte {
	switch {
	case v.protocol == IPIP:
		return framed(IPIP, v.transport)
	case v.protocol == IPv6:
		return framed(IPv6, v.transport)
	case !v.isGUE() || len(v.transport) < 12:
		return nil
	}
	payload := v.transport[8:]
	switch payload[0] >> 4 {
	case 4:
		return framed(IPIP, payload)
	case 6:
		return framed(IPv6, payload)
	}
	if size := 4 + int(payload[0]&31)*4; payload[0]>>5 == 0 && size <= len(payload) {
		return framed(payload[1], payload[size:])
	}
	return nil
}

func (v *view) isGUE() bool {
	return v.protocol == UDP && binary.BigEndian.Uint16(v.transport[2:]) == PortGUE
}

// framed is a packet behind an Ethernet header without addresses.
func framed(protocol uint8, packet []byte) []byte {
	frame := make([]byte, OffsetIP, OffsetIP+len(packet))
	switch protocol {
	case IPIP:
		frame[12], frame[13] = 8, 0
	case IPv6:
		frame[12], frame[13] = 0x86, 0xdd
	default:
		return nil
	}
	return append(frame, packet...)
}
