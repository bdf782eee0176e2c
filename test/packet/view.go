// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// view is a frame taken apart up to its transport, in the frame's own bytes.
type view struct {
	tags       []Tag
	l3         int    // where the IP header begins
	header     []byte // IPv4's with its options, IPv6's alone
	extensions []Extension
	protocol   uint8
	src, dst   netip.Addr
	offset     uint16 // of a fragment, in units of 8 bytes
	more       bool   // fragments
	id         uint32
	transport  []byte // without the frame's padding
}

// isWhole says whether the packet is no fragment.
func (v *view) isWhole() bool { return v.offset == 0 && !v.more }

func (v *view) is6() bool { return v.src.Is6() }

// split takes a frame apart. It is an error if headers are not whole, or lengths do not fit.
func split(frame []byte) (*view, error) {
	v := &view{}
	kind, err := v.splitEthernet(frame)
	if err != nil {
		return nil, err
	}
	switch kind {
	case 0x0800:
		err = v.split4(frame[v.l3:], len(frame))
	case 0x86dd:
		err = v.split6(frame[v.l3:], len(frame))
	default:
		err = fmt.Errorf("ethernet type %04x: not IP", kind)
	}
	return v, err
}

// splitEthernet returns the EtherType behind the tags.
func (v *view) splitEthernet(frame []byte) (uint16, error) {
	if len(frame) < OffsetIP {
		return 0, fmt.Errorf("frame of %d bytes: no room for an Ethernet header", len(frame))
	}
	v.l3 = OffsetIP
	kind := binary.BigEndian.Uint16(frame[12:])
	for kind == Dot1Q || kind == Dot1AD {
		if len(frame) < v.l3+4 {
			return 0, fmt.Errorf("frame of %d bytes: no room for a VLAN tag", len(frame))
		}
		v.tags = append(v.tags, Tag{kind, binary.BigEndian.Uint16(frame[v.l3:])})
		kind = binary.BigEndian.Uint16(frame[v.l3+2:])
		v.l3 += 4
	}
	return kind, nil
}

func (v *view) split4(packet []byte, frameLen int) error {
	if len(packet) < 20 {
		return fmt.Errorf("frame of %d bytes: no room for an IPv4 header", frameLen)
	}
	size, total := headerLen(packet[0]), int(binary.BigEndian.Uint16(packet[2:]))
	switch {
	case packet[0]>>4 != 4:
		return fmt.Errorf("IP version %d", packet[0]>>4)
	case size < 20 || size > total:
		return fmt.Errorf("IP header of %d bytes in a packet of %d", size, total)
	case total > len(packet):
		return fmt.Errorf("IP length %d in a frame with room for %d", total, len(packet))
	}
	v.header, v.transport = packet[:size], packet[size:total]
	v.protocol = packet[9]
	v.src, v.dst = netip.AddrFrom4([4]byte(packet[12:])), netip.AddrFrom4([4]byte(packet[16:]))
	fragment := binary.BigEndian.Uint16(packet[6:])
	v.offset, v.more = fragment&0x1fff, fragment&0x2000 != 0
	v.id = uint32(binary.BigEndian.Uint16(packet[4:]))
	return nil
}

func (v *view) split6(packet []byte, frameLen int) error {
	if len(packet) < 40 {
		return fmt.Errorf("frame of %d bytes: no room for an IPv6 header", frameLen)
	}
	length := int(binary.BigEndian.Uint16(packet[4:]))
	switch {
	case packet[0]>>4 != 6:
		return fmt.Errorf("IP version %d", packet[0]>>4)
	case 40+length > len(packet):
		return fmt.Errorf("IPv6 payload length %d in a frame with room for %d", length, len(packet)-40)
	}
	v.header, v.protocol = packet[:40], packet[6]
	v.src, v.dst = netip.AddrFrom16([16]byte(packet[8:])), netip.AddrFrom16([16]byte(packet[24:]))
	return v.splitExtensions(packet[40 : 40+length])
}

// headerLen is an IPv4 header's length in bytes, by its first byte.
func headerLen(versionIHL byte) int { return int(versionIHL&0x0f) * 4 }
