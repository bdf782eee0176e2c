// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/weir-lb/weir/bpf"
)

// The maps hold addresses and ports as they lie in a packet, IPv4 as ::ffff:a.b.c.d. Read as integers
// of this machine these are the numbers below; nothing outside this file converts.

func address(addr netip.Addr) bpf.WeirAddress {
	b := addr.As16()
	return bpf.WeirAddress{Half: [2]uint64{binary.NativeEndian.Uint64(b[:8]), binary.NativeEndian.Uint64(b[8:])}}
}

func fromAddress(a bpf.WeirAddress) netip.Addr {
	var b [16]byte
	binary.NativeEndian.PutUint64(b[:8], a.Half[0])
	binary.NativeEndian.PutUint64(b[8:], a.Half[1])
	return netip.AddrFrom16(b).Unmap()
}

// word is an IPv4 address as a __be32 of the maps.
func word(addr netip.Addr) uint32 {
	b := addr.As4()
	return binary.NativeEndian.Uint32(b[:])
}

func fromWord(v uint32) netip.Addr {
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], v)
	return netip.AddrFrom4(b)
}

// be16 is port as a __be16 of the maps.
func be16(port uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], port)
	return binary.NativeEndian.Uint16(b[:])
}

func fromBE16(v uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], v)
	return binary.BigEndian.Uint16(b[:])
}

func addrPort(addr bpf.WeirAddress, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(fromAddress(addr), fromBE16(port))
}

// IP protocol numbers of the services (IANA).
const (
	TCP     uint8 = 6
	UDP     uint8 = 17
	DCCP    uint8 = 33
	SCTP    uint8 = 132
	UDPLite uint8 = 136
)

// Service is what clients see: a virtual address, a port and a protocol.
type Service struct {
	VIP      netip.AddrPort
	Protocol uint8
}

// String is the service as a URL: tcp://10.0.100.1:80.
func (s Service) String() string {
	return fmt.Sprintf("%s://%s", protocolName(s.Protocol), s.VIP)
}

func protocolName(p uint8) string {
	switch p {
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	case DCCP:
		return "dccp"
	case SCTP:
		return "sctp"
	case UDPLite:
		return "udp-lite"
	}
	return fmt.Sprintf("protocol-%d", p)
}
