// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// paramHeaderLen is the length of a parameter's type and length fields, and of an error cause's (RFC 5354 section 3).
const paramHeaderLen = 4

// paramType is a parameter's type (RFC 5354 table 1).
type paramType uint16

const (
	paramIPv4           paramType = 0x01
	paramIPv6           paramType = 0x02
	paramDCCP           paramType = 0x03
	paramSCTP           paramType = 0x04
	paramTCP            paramType = 0x05
	paramUDP            paramType = 0x06
	paramUDPLite        paramType = 0x07
	paramPolicy         paramType = 0x08
	paramPoolHandle     paramType = 0x09
	paramPoolElement    paramType = 0x0a
	paramServer         paramType = 0x0b
	paramOperationError paramType = 0x0c
	paramCookie         paramType = 0x0d
	paramPEID           paramType = 0x0e
	paramPEChecksum     paramType = 0x0f
	paramOpaque         paramType = 0x10
	paramItems          paramType = 0x803f // rsplib's, not in the RFC
)

// known says whether RFC 5354 defines the type; the rules for unrecognized parameters are for the others.
func (t paramType) known() bool { return t >= paramIPv4 && t <= paramOpaque }

func (t paramType) String() string {
	names := [...]string{
		paramIPv4:           "IPv4 address",
		paramIPv6:           "IPv6 address",
		paramDCCP:           "DCCP transport",
		paramSCTP:           "SCTP transport",
		paramTCP:            "TCP transport",
		paramUDP:            "UDP transport",
		paramUDPLite:        "UDP-Lite transport",
		paramPolicy:         "policy",
		paramPoolHandle:     "pool handle",
		paramPoolElement:    "pool element",
		paramServer:         "server information",
		paramOperationError: "operation error",
		paramCookie:         "cookie",
		paramPEID:           "PE identifier",
		paramPEChecksum:     "PE checksum",
		paramOpaque:         "opaque transport",
	}
	if t.known() {
		return names[t]
	}
	return fmt.Sprintf("parameter 0x%04x", uint16(t))
}

// param is a TLV inside a message: a parameter, an error cause, or the message itself.
type param struct {
	typ    paramType
	offset int    // of its header in the message
	tlv    []byte // header and value, without padding: a view of the input
}

func (p param) value() []byte { return p.tlv[paramHeaderLen:] }

// invalid is the error for a value that may not be there or may not be as it is (RFC 5354 3.12.4).
func (p param) invalid(reason string) *Error {
	return &Error{
		Cause:  CauseInvalidValues,
		Offset: p.offset,
		Param:  bytes.Clone(p.tlv),
		Report: true,
		Reason: reason,
	}
}

// span is what is left of a container's TLVs.
type span struct {
	offset int
	b      []byte
}

// inside is p's value from its byte from (counted from p's header) on, which p must have.
func inside(p param, from int) span {
	return span{offset: p.offset + from, b: p.tlv[from:]}
}

// next cuts one TLV and its padding off. RFC 5354 section 2: a container counts the padding between its TLVs but not the
// last. Whether it counted that too, or only some of it, does not matter here: padding is ignored as far as it is there.
func (s *span) next() (param, *Error) {
	rest := param{offset: s.offset, tlv: s.b}
	if len(s.b) < paramHeaderLen {
		return rest, rest.invalid("too short for a parameter")
	}
	n := int(binary.BigEndian.Uint16(s.b[2:]))
	if n < paramHeaderLen || n > len(s.b) {
		return rest, rest.invalid(fmt.Sprintf("parameter of length %d in %d bytes", n, len(s.b)))
	}
	p := param{typ: paramType(binary.BigEndian.Uint16(s.b)), offset: s.offset, tlv: s.b[:n]}
	used := min(paddedLen(n), len(s.b))
	s.offset, s.b = s.offset+used, s.b[used:]
	return p, nil
}

// paddedLen is n rounded up to a multiple of 4.
func paddedLen(n int) int { return (n + 3) &^ 3 }

// copyOf is a copy of b that is nil if b is empty, so that equal messages are equal in Go.
func copyOf(b []byte) []byte { return append([]byte(nil), b...) }
