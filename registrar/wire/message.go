// SPDX-License-Identifier: Apache-2.0

package wire

import "fmt"

const (
	// HeaderLen is the length in bytes of a message's header: type, flags, length (RFC 5354 section 4).
	HeaderLen = 4
	// MaxMessageLen is the greatest length in bytes that a message can state. Padding may add one byte to it.
	MaxMessageLen = 65535
)

// MessageType is an ASAP message's type (RFC 5352 2.2).
type MessageType uint8

// The messages of RFC 5352 2.2.
const (
	TypeRegistration             MessageType = 0x01
	TypeDeregistration           MessageType = 0x02
	TypeRegistrationResponse     MessageType = 0x03
	TypeDeregistrationResponse   MessageType = 0x04
	TypeHandleResolution         MessageType = 0x05
	TypeHandleResolutionResponse MessageType = 0x06
	TypeEndpointKeepAlive        MessageType = 0x07
	TypeEndpointKeepAliveAck     MessageType = 0x08
	TypeEndpointUnreachable      MessageType = 0x09
	TypeServerAnnounce           MessageType = 0x0a
	TypeCookie                   MessageType = 0x0b
	TypeCookieEcho               MessageType = 0x0c
	TypeBusinessCard             MessageType = 0x0d
	TypeError                    MessageType = 0x0e
)

// String gives the RFC's name, "ASAP_REGISTRATION", or the number as 0x and two digits.
func (t MessageType) String() string {
	names := [...]string{
		TypeRegistration:             "ASAP_REGISTRATION",
		TypeDeregistration:           "ASAP_DEREGISTRATION",
		TypeRegistrationResponse:     "ASAP_REGISTRATION_RESPONSE",
		TypeDeregistrationResponse:   "ASAP_DEREGISTRATION_RESPONSE",
		TypeHandleResolution:         "ASAP_HANDLE_RESOLUTION",
		TypeHandleResolutionResponse: "ASAP_HANDLE_RESOLUTION_RESPONSE",
		TypeEndpointKeepAlive:        "ASAP_ENDPOINT_KEEP_ALIVE",
		TypeEndpointKeepAliveAck:     "ASAP_ENDPOINT_KEEP_ALIVE_ACK",
		TypeEndpointUnreachable:      "ASAP_ENDPOINT_UNREACHABLE",
		TypeServerAnnounce:           "ASAP_SERVER_ANNOUNCE",
		TypeCookie:                   "ASAP_COOKIE",
		TypeCookieEcho:               "ASAP_COOKIE_ECHO",
		TypeBusinessCard:             "ASAP_BUSINESS_CARD",
		TypeError:                    "ASAP_ERROR",
	}
	if int(t) < len(names) && names[t] != "" {
		return names[t]
	}
	return fmt.Sprintf("0x%02x", uint8(t))
}

// Message is one of ASAP's messages, always as a pointer: *Registration, *HandleResolution, … ENRP's are ENRPMessages.
type Message interface {
	Type() MessageType
	encoder
}
