// SPDX-License-Identifier: Apache-2.0

package asap

import "github.com/weir-lb/weir/registrar/wire"

// RejectPlain is what a secured registrar answers to the first message of a peer that speaks without TLS: cause 0xa, in
// the response that the request has (RFC 5352 9.3, threats draft 2.15.3). It is nil for what must not be answered: bytes
// that are no message, or not one of ours, and ASAP_ERROR, of which two ends could send each other any number. Nothing is
// remembered of the message.
func RejectPlain(first []byte) []byte {
	m, _ := wire.ParseASAP(first) // with a message the error is about parameters that were skipped
	answer := rejection(m, refuse(wire.CauseSecurity, "").ErrorCauses())
	if answer == nil {
		return nil
	}
	b, _ := wire.AppendASAP(nil, answer) // of what ParseASAP has accepted
	return b
}

// maxNamed is the longest handle that a response can have, with its header and padding, beside an element's identifier and a
// cause without information.
const maxNamed = (wire.MaxMessageLen - wire.HeaderLen - 4 - 8 - 8) &^ 3

// rejection is the negative response to a request; an ASAP_ERROR to what has no response, or whose handle leaves no room for
// it; nil to an error.
func rejection(m wire.Message, causes []wire.ErrorCause) wire.Message {
	switch m := m.(type) {
	case nil, *wire.ErrorMessage:
		return nil
	case *wire.Registration:
		return &wire.RegistrationResponse{Reject: true, Pool: m.Pool, PE: m.Element.ID, Causes: causes}
	case *wire.Deregistration:
		if len(m.Pool) > maxNamed {
			break
		}
		return &wire.DeregistrationResponse{Pool: m.Pool, PE: m.PE, Causes: causes}
	case *wire.HandleResolution:
		if len(m.Pool) > maxNamed {
			break
		}
		return &wire.HandleResolutionResponse{Pool: m.Pool, Causes: causes}
	}
	return &wire.ErrorMessage{Causes: causes}
}
