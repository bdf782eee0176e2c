// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
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

// AppendTLV appends the transport's parameter without padding, as the cause CauseInconsistentTransport carries it (RFC
// 5354 3.12.8). Errors: an unknown protocol, a field that it does not have, or addresses other than those that it must
// have; dst is then unchanged.
func (t Transport) AppendTLV(dst []byte) ([]byte, error) { return appendTLV(dst, t.encode) }

func (t Transport) invalid() string {
	switch {
	case !t.Protocol.known():
		return "unknown transport protocol " + t.Protocol.String()
	case t.Use > UseDataControl:
		return "invalid transport use " + t.Use.String()
	case t.Use != UseDataOnly && t.Protocol != ProtocolSCTP:
		return t.Protocol.String() + " is always data only" // RFC 5354 3.3, 3.5 to 3.7
	case t.ServiceCode != 0 && t.Protocol != ProtocolDCCP:
		return t.Protocol.String() + " has no service code"
	case len(t.Opaque) > 0 && t.Protocol != ProtocolOpaque:
		return t.Protocol.String() + " has no opaque data"
	case t.Port != 0 && t.Protocol == ProtocolOpaque:
		return "an opaque transport has no port"
	}
	return t.invalidAddrs()
}

func (t Transport) invalidAddrs() string {
	least, most := 1, 1
	switch t.Protocol {
	case ProtocolSCTP:
		most = len(t.Addrs) // any number: the message's length bounds it
	case ProtocolOpaque:
		least, most = 0, 0
	}
	if len(t.Addrs) < least || len(t.Addrs) > most {
		return fmt.Sprintf("%v transport with %d addresses", t.Protocol, len(t.Addrs))
	}
	for _, a := range t.Addrs {
		if !a.IsValid() || a.Zone() != "" {
			return fmt.Sprintf("address %v cannot be sent", a)
		}
	}
	return ""
}

func (p Protocol) known() bool {
	return p >= ProtocolDCCP && p <= ProtocolUDPLite || p == ProtocolOpaque
}

// fixedLen is the length of a transport's header and fixed fields: the port, 16 bits that only SCTP uses, and DCCP's
// service code. An opaque transport has none.
func (p Protocol) fixedLen() int {
	if p == ProtocolDCCP {
		return paramHeaderLen + 8
	}
	return paramHeaderLen + 4
}

func appendTransport(ts []Transport, p param, sk *skips) ([]Transport, *Error) {
	t, err := decodeTransport(p, sk)
	if err != nil {
		return nil, err
	}
	if reason := t.invalid(); reason != "" {
		return nil, p.invalid(reason)
	}
	return append(ts, t), nil
}

func decodeTransport(p param, sk *skips) (Transport, *Error) {
	t := Transport{Protocol: Protocol(p.typ)}
	if t.Protocol == ProtocolOpaque {
		t.Opaque = copyOf(p.value())
		return t, nil
	}
	c, err := readParams(p, t.Protocol.fixedLen(), rule{repeated: inAddrs}, sk)
	if err != nil {
		return t, err
	}
	t.Addrs = c.addrs
	t.Port = binary.BigEndian.Uint16(p.tlv[4:])
	switch t.Protocol {
	case ProtocolSCTP:
		t.Use = TransportUse(binary.BigEndian.Uint16(p.tlv[6:]))
	case ProtocolDCCP:
		t.ServiceCode = binary.BigEndian.Uint32(p.tlv[8:])
	}
	return t, nil
}

func (t Transport) encode(w *writer) {
	if reason := t.invalid(); reason != "" {
		w.fail(reason)
	}
	mark := w.open(uint16(t.Protocol))
	if t.Protocol == ProtocolOpaque {
		w.bytes(t.Opaque)
	} else {
		w.u16(t.Port)
		w.u16(uint16(t.Use)) // reserved, and 0, but for SCTP
	}
	if t.Protocol == ProtocolDCCP {
		w.u32(t.ServiceCode)
	}
	for _, a := range t.Addrs {
		encodeAddr(w, a)
	}
	w.close(mark)
}
