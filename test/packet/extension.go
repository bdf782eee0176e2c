// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"encoding/binary"
	"errors"
	"slices"
)

// Extension is an IPv6 extension header (RFC 8200 4): all of it but its first two bytes, which Frame
// writes. Data is padded with zeros (options of type Pad1) to the next size that can be said.
type Extension struct {
	Type uint8
	Data []byte // of a fragment header: ignored by Frame, and nil from Decode
}

// Types of extension headers.
const (
	HopByHop    = uint8(0)
	Routing     = uint8(43)
	Fragment    = uint8(44)
	AH          = uint8(51) // RFC 4302
	Destination = uint8(60)
)

func isExtension(protocol uint8) bool {
	return slices.Contains([]uint8{HopByHop, Routing, Fragment, AH, Destination}, protocol)
}

// extensionSize is a header's length in bytes, by its first 8.
func extensionSize(kind uint8, header []byte) int {
	switch kind {
	case Fragment:
		return 8
	case AH: // in units of 4 bytes, less 2 (RFC 4302 2.2)
		return (int(header[1]) + 2) * 4
	default: // in units of 8 bytes, less 1
		return (int(header[1]) + 1) * 8
	}
}

// listed are the extension headers that the packet is to have.
func (p Packet) listed() []Extension {
	isFragment := func(e Extension) bool { return e.Type == Fragment }
	if p.isFragment() && !slices.ContainsFunc(p.Extensions, isFragment) {
		return append(slices.Clone(p.Extensions), Extension{Type: Fragment})
	}
	return p.Extensions
}

func (p Packet) isFragment() bool { return p.FragmentOffset != 0 || p.MoreFragments }

// extensionBytes are the headers as they lie in the packet, and the type of the first.
func (p Packet) extensionBytes() (first uint8, all []byte) {
	list := p.listed()
	first = p.Protocol
	for _, e := range slices.Backward(list) {
		all = append(p.extension(e, first), all...)
		first = e.Type
	}
	return first, all
}

func (p Packet) extension(e Extension, next uint8) []byte {
	if e.Type == Fragment {
		header := []byte{next, 0, 0, 0, 0, 0, 0, 0}
		offset := p.FragmentOffset << 3
		if p.MoreFragments {
			offset |= 1
		}
		binary.BigEndian.PutUint16(header[2:], offset)
		binary.BigEndian.PutUint32(header[4:], p.ID)
		return header
	}
	header := append([]byte{next, 0}, e.Data...)
	for len(header)%8 != 0 || len(header) == 0 {
		header = append(header, 0)
	}
	header[1] = byte(len(header)/8 - 1)
	if e.Type == AH {
		header[1] = byte(len(header)/4 - 2)
	}
	return header
}

var errExtension = errors.New("an IPv6 extension header that is cut off")

// splitExtensions goes through the extension headers, until a fragment that is not the first.
func (v *view) splitExtensions(payload []byte) error {
	for isExtension(v.protocol) {
		if len(payload) < 8 {
			return errExtension
		}
		size := extensionSize(v.protocol, payload)
		if size > len(payload) {
			return errExtension
		}
		e := Extension{Type: v.protocol, Data: slices.Clone(payload[2:size])}
		if e.Type == Fragment {
			offset := binary.BigEndian.Uint16(payload[2:])
			v.offset, v.more, v.id = offset>>3, offset&1 != 0, binary.BigEndian.Uint32(payload[4:])
			e.Data = nil
		}
		v.extensions = append(v.extensions, e)
		v.protocol, payload = payload[0], payload[size:]
		if v.offset != 0 {
			break
		}
	}
	v.transport = payload
	return nil
}
