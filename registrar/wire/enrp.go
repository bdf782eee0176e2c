// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ENRPType is an ENRP message's type (RFC 5353 section 2). ENRP's numbers are ASAP's with other meanings: only the
// association says which protocol a message is of (by its port and payload protocol identifier), and so the types differ.
type ENRPType uint8

// The messages of RFC 5353 figure 1.
const (
	TypePresence            ENRPType = 0x01
	TypeHandleTableRequest  ENRPType = 0x02
	TypeHandleTableResponse ENRPType = 0x03
	TypeHandleUpdate        ENRPType = 0x04
	TypeListRequest         ENRPType = 0x05
	TypeListResponse        ENRPType = 0x06
	TypeInitTakeover        ENRPType = 0x07
	TypeInitTakeoverAck     ENRPType = 0x08
	TypeTakeoverServer      ENRPType = 0x09
	TypeENRPError           ENRPType = 0x0a
)

// String gives the RFC's name, "ENRP_PRESENCE", or the number as 0x and two digits.
func (t ENRPType) String() string {
	names := [...]string{
		TypePresence:            "ENRP_PRESENCE",
		TypeHandleTableRequest:  "ENRP_HANDLE_TABLE_REQUEST",
		TypeHandleTableResponse: "ENRP_HANDLE_TABLE_RESPONSE",
		TypeHandleUpdate:        "ENRP_HANDLE_UPDATE",
		TypeListRequest:         "ENRP_LIST_REQUEST",
		TypeListResponse:        "ENRP_LIST_RESPONSE",
		TypeInitTakeover:        "ENRP_INIT_TAKEOVER",
		TypeInitTakeoverAck:     "ENRP_INIT_TAKEOVER_ACK",
		TypeTakeoverServer:      "ENRP_TAKEOVER_SERVER",
		TypeENRPError:           "ENRP_ERROR",
	}
	if int(t) < len(names) && names[t] != "" {
		return names[t]
	}
	return fmt.Sprintf("0x%02x", uint8(t))
}

// ENRPMessage is one of the messages that registrars send each other, always as a pointer: *Presence, *HandleUpdate, …
// None is a Message, nor the other way round: that an association of one protocol carries the other does not compile.
type ENRPMessage interface {
	Type() ENRPType
	Between() Servers
	encoder
}

// Servers are the registrars that a message goes between; every ENRP message has them (RFC 5353 2.1).
type Servers struct {
	Sender   ServerID
	Receiver ServerID // 0 if it is not for a single registrar, or if that does not matter
}

// Between is s itself: what all messages have.
func (s Servers) Between() Servers { return s }

const (
	enrpFixedLen   = HeaderLen + 8    // of a header and the two identifiers
	targetFixedLen = enrpFixedLen + 4 // with the 32 bits that some messages have then
)

// ParseENRP decodes one whole message between registrars. What ParseASAP says about padding, errors, the order of
// parameters and what is not known holds here too.
func ParseENRP(b []byte) (ENRPMessage, error) { return parseMessage(b, parseENRP) }

// AppendENRP appends m and its padding to dst as AppendASAP does. Errors: a value that ParseENRP would refuse, or more
// than MaxMessageLen bytes; dst is then returned as it came.
func AppendENRP(dst []byte, m ENRPMessage) ([]byte, error) {
	if m == nil {
		return dst, errors.New("encode: no message")
	}
	return appendMessage(dst, m.Type(), m)
}

func parseENRP(msg param, sk *skips) (ENRPMessage, *Error) {
	switch t := ENRPType(msg.tlv[0]); t {
	case TypePresence:
		return parsePresence(msg, sk)
	case TypeHandleTableRequest:
		return parseHandleTableRequest(msg, sk)
	case TypeHandleTableResponse:
		return parseHandleTableResponse(msg, sk)
	case TypeHandleUpdate:
		return parseHandleUpdate(msg, sk)
	case TypeListRequest:
		return parseListRequest(msg, sk)
	case TypeListResponse:
		return parseListResponse(msg, sk)
	case TypeInitTakeover:
		return parseInitTakeover(msg, sk)
	case TypeInitTakeoverAck:
		return parseInitTakeoverAck(msg, sk)
	case TypeTakeoverServer:
		return parseTakeoverServer(msg, sk)
	case TypeENRPError:
		return parseENRPError(msg, sk)
	default:
		return nil, unrecognizedMessage(t, msg)
	}
}

// servers are the two identifiers after the header; the message must be enrpFixedLen long.
func servers(msg param) Servers {
	return Servers{
		Sender:   ServerID(binary.BigEndian.Uint32(msg.tlv[HeaderLen:])),
		Receiver: ServerID(binary.BigEndian.Uint32(msg.tlv[HeaderLen+4:])),
	}
}

func (s Servers) encode(w *writer) {
	w.u32(uint32(s.Sender))
	w.u32(uint32(s.Receiver))
}
