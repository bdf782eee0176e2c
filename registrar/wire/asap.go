// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// serverFixedLen is the length of a header and the server identifier that follows it in some messages.
const serverFixedLen = HeaderLen + 4

// ParseASAP decodes one whole message. b ends with the message's last byte or with its padding; a message that counts its
// padding in its length is accepted. The message has no reference to b.
//
// Every error is an *Error. With a message, the error is about parameters that were skipped: process the message and
// report the error. Without a message: discard, and report if the error's Report is set. Nothing is to be reported to the
// source of a datagram, which anybody can have forged. COOKIE, COOKIE_ECHO and BUSINESS_CARD, which pool elements and
// users exchange among themselves, are unrecognized messages here.
//
// Parameters may come in any order. Flags and padding are ignored where RFC 5352 defines none; a parameter that RFC 5354
// defines but that does not belong into the message, or not twice, is an invalid value.
func ParseASAP(b []byte) (Message, error) {
	msg, err := frame(b)
	if err != nil {
		return nil, err
	}
	var sk skips
	m, err := parse(msg, &sk)
	if err = sk.join(err); err != nil {
		return m, err
	}
	return m, nil
}

// AppendASAP appends m and its padding to dst: a multiple of 4 bytes, of which the length in the header leaves the padding
// out (RFC 5354 section 4). Errors: a value that ParseASAP would refuse, or more than MaxMessageLen bytes; dst is then
// returned as it came.
func AppendASAP(dst []byte, m Message) ([]byte, error) {
	if m == nil {
		return dst, errors.New("encode: no message")
	}
	w := writer{b: append(dst, byte(m.Type()), 0, 0, 0), start: len(dst)}
	flags := m.encode(&w)
	if w.err != nil {
		return dst, fmt.Errorf("encode %v: %w", m.Type(), w.err)
	}
	w.b[w.start+1] = flags
	w.close(w.start)
	w.pad()
	return w.b, nil
}

// frame checks the header's length against b. Its errors ask for no report: it is not known where the message ends.
func frame(b []byte) (param, *Error) {
	if len(b) < HeaderLen {
		return param{}, &Error{Cause: CauseInvalidValues, Reason: "shorter than a message header"}
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n < HeaderLen || n > len(b) || paddedLen(n) < len(b) {
		reason := fmt.Sprintf("message of length %d in %d bytes", n, len(b))
		return param{}, &Error{Cause: CauseInvalidValues, Offset: 2, Reason: reason}
	}
	return param{tlv: b[:n]}, nil
}

func parse(msg param, sk *skips) (Message, *Error) {
	switch t := MessageType(msg.tlv[0]); t {
	case TypeRegistration:
		return parseRegistration(msg, sk)
	case TypeDeregistration:
		return parseDeregistration(msg, sk)
	case TypeRegistrationResponse:
		return parseRegistrationResponse(msg, sk)
	case TypeDeregistrationResponse:
		return parseDeregistrationResponse(msg, sk)
	case TypeHandleResolution:
		return parseHandleResolution(msg, sk)
	case TypeHandleResolutionResponse:
		return parseHandleResolutionResponse(msg, sk)
	case TypeEndpointKeepAlive:
		return parseEndpointKeepAlive(msg, sk)
	case TypeEndpointKeepAliveAck:
		return parseEndpointKeepAliveAck(msg, sk)
	case TypeEndpointUnreachable:
		return parseEndpointUnreachable(msg, sk)
	case TypeServerAnnounce:
		return parseServerAnnounce(msg, sk)
	case TypeError:
		return parseErrorMessage(msg, sk)
	default:
		return nil, unrecognizedMessage(t, msg)
	}
}

// unrecognizedMessage asks for a report only if the type's two highest bits are 01; 10 and 11 are reserved (RFC 5354
// section 4).
func unrecognizedMessage(t MessageType, msg param) *Error {
	return &Error{
		Cause:  CauseUnrecognizedMessage,
		Param:  bytes.Clone(msg.tlv),
		Report: t>>6 == 1,
		Reason: t.String(),
	}
}

// ruleElement is the contents of a message about one element of a pool.
func ruleElement() rule { return rule{required: 1<<paramPoolHandle | 1<<paramPEID} }

// ruleResponse is the contents of an answer to such a message.
func ruleResponse() rule {
	return rule{required: ruleElement().required, optional: 1 << paramOperationError}
}

// serverID is the server identifier after the header; the message must be serverFixedLen long.
func serverID(msg param) ServerID { return ServerID(binary.BigEndian.Uint32(msg.tlv[HeaderLen:])) }

// lowFlag is the only flag that any of these messages has (RFC 5352: R, S, A, H).
func lowFlag(msg param) bool { return msg.tlv[1]&1 != 0 }

func bit(flag bool) uint8 {
	if flag {
		return 1
	}
	return 0
}
