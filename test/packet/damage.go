// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"bytes"
	"encoding/binary"
)

// BadChecksum is the frame with its transport's checksum off by one bit, and nil if it has none: another
// protocol, a fragment, UDP without one.
func BadChecksum(frame []byte) []byte {
	bad := bytes.Clone(frame)
	v, err := split(bad)
	if err != nil || !v.isWhole() || v.verifyLengths() != nil {
		return nil
	}
	at, size := checksumField(v.protocol)
	if size == 0 || v.protocol == UDP && binary.BigEndian.Uint16(v.transport[at:]) == 0 {
		return nil
	}
	v.transport[at] ^= 1
	return bad
}

// BadIPChecksum is the frame with its IP header's checksum off by one bit, and nil if it is no IPv4.
func BadIPChecksum(frame []byte) []byte {
	bad := bytes.Clone(frame)
	v, err := split(bad)
	if err != nil || v.is6() {
		return nil
	}
	v.header[10] ^= 1
	return bad
}

// HeadersEnd is where the headers of a whole packet end, the transport's among them (without TCP's options
// if there are any, and without DCCP's), in a frame that split understands; 0 in others.
func HeadersEnd(frame []byte) int {
	v, err := split(frame)
	if err != nil {
		return 0
	}
	least := leastHeader(v.protocol)
	if v.offset != 0 {
		least = 0
	}
	return v.transportAt() + min(least, len(v.transport))
}

// transportAt is where the transport begins in the frame.
func (v *view) transportAt() int {
	at := v.l3 + len(v.header)
	for _, e := range v.extensions {
		at += e.size()
	}
	return at
}

func (e Extension) size() int {
	if e.Type == Fragment {
		return 8
	}
	return 2 + len(e.Data)
}

// Cut is the frame's first bytes, with the IP length that fits them and, in IPv4, the checksum too; nil if
// not even the IP header is left, or nothing of the packet is missing.
func Cut(frame []byte, length int) []byte {
	v, err := split(frame)
	if err != nil || length < v.l3+len(v.header) || length >= v.transportAt()+len(v.transport) {
		return nil
	}
	cut := bytes.Clone(frame[:length])
	header := cut[v.l3 : v.l3+len(v.header)]
	if v.is6() {
		binary.BigEndian.PutUint16(header[4:], uint16(length-v.l3-40))
		return cut
	}
	binary.BigEndian.PutUint16(header[2:], uint16(length-v.l3))
	binary.BigEndian.PutUint16(header[10:], expected(header, 10, 0))
	return cut
}

// End is where the packet ends in its frame; what follows is padding. 0: the frame is no IP packet, or not
// a whole one.
func End(frame []byte) int {
	v, err := split(frame)
	if err != nil {
		return 0
	}
	return v.transportAt() + len(v.transport)
}

// IsIP says whether the frame claims to hold an IP packet, behind two VLAN tags at most.
func IsIP(frame []byte) bool {
	var v view
	kind, err := v.splitEthernet(frame)
	return err == nil && len(v.tags) <= 2 && (kind == 0x0800 || kind == 0x86dd)
}
