// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"fmt"
	"net/netip"
)

// Protocol is a transport protocol; its value is the type of its parameter (RFC 5354 3.3 to 3.7, 3.16).
type Protocol uint16

// The transports of RFC 5354.
const (
	ProtocolDCCP    Protocol = 0x03
	ProtocolSCTP    Protocol = 0x04
	ProtocolTCP     Protocol = 0x05
	ProtocolUDP     Protocol = 0x06
	ProtocolUDPLite Protocol = 0x07
	ProtocolOpaque  Protocol = 0x10
)

// String gives the protocol's name in lower case, "tcp", or its number as 0x and four digits.
func (p Protocol) String() string {
	switch p {
	case ProtocolDCCP:
		return "dccp"
	case ProtocolSCTP:
		return "sctp"
	case ProtocolTCP:
		return "tcp"
	case ProtocolUDP:
		return "udp"
	case ProtocolUDPLite:
		return "udp-lite"
	case ProtocolOpaque:
		return "opaque"
	}
	return fmt.Sprintf("0x%04x", uint16(p))
}

// TransportUse says what a transport address may carry (RFC 5354 3.4).
type TransportUse uint16

// The uses of RFC 5354 3.4. Every transport but SCTP is data only.
const (
	UseDataOnly    TransportUse = 0
	UseDataControl TransportUse = 1
)

// String gives the RFC's name in lower case, or the number as 0x and four digits.
func (u TransportUse) String() string {
	switch u {
	case UseDataOnly:
		return "data only"
	case UseDataControl:
		return "data plus control"
	}
	return fmt.Sprintf("0x%04x", uint16(u))
}

// Transport is one transport parameter. A field that the protocol does not have is zero.
type Transport struct {
	Protocol Protocol
	Port     uint16       // all but opaque
	Use      TransportUse // SCTP only: UseDataOnly or UseDataControl
	// ServiceCode is DCCP's (RFC 5354 3.3).
	ServiceCode uint32
	// Addrs holds at least one address for SCTP, none for opaque, and exactly one for the others. None has a zone. An
	// address that came as an IPv4-mapped IPv6 address stays one.
	Addrs []netip.Addr
	// Opaque is the data of an opaque transport, 0 to 65,523 bytes (RFC 5354 3.16).
	Opaque []byte
}
