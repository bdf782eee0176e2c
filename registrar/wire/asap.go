// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"errors"
)

// serverFixedLen is the length of a header and the server identifier that follows it in some messages.
const serverFixedLen = HeaderLen + 4

// ParseASAP decodes one whole message. b ends with the message's last byte or with its padding; a message that counts its
// padding in its length is accepted. The message has no reference to b.
//
// Every error is an *Error. With a message, the error is about parameters that were skipped: process the message and
// report the error. Without a message: discard, and report if the error's Report is set. Nothing is to be reported to the
// source of a datagram, which anybody can have forged.
//
// Parameters may come in any order. Flags and padding are ignored where RFC 5352 defines none; a parameter that RFC 5354
// defines but that does not belong into the message, or not twice, is an invalid value.
func ParseASAP(b []byte) (Message, error) { return parseMessage(b, parseASAP) }

// AppendASAP appends m and its padding to dst: a multiple of 4 bytes, of which the length in the header leaves the padding
// out (RFC 5354 section 4). Errors: a value that ParseASAP would refuse, or more than MaxMessageLen bytes; dst is then
// returned as it came.
func AppendASAP(dst []byte, m Message) ([]byte, error) {
	if m == nil {
		return dst, errors.New("encode: no message")
	}
	return appendMessage(dst, m.Type(), m)
}

func parseASAP(msg param, sk *skips) (Message, *Error) {
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
	case TypeCookie:
		return parseCookie(msg, sk)
	case TypeCookieEcho:
		return parseCookieEcho(msg, sk)
	case TypeBusinessCard:
		return parseBusinessCard(msg, sk)
	case TypeError:
		return parseErrorMessage(msg, sk)
	default:
		return nil, unrecognizedMessage(t, msg)
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
