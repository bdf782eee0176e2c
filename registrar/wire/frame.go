// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// messageType is a message type of either protocol. Both share the header and the rules for what is not known (RFC 5354
// section 4), but each numbers its messages from 1.
type messageType interface {
	~uint8
	fmt.Stringer
}

// encoder is what a message of either protocol does.
type encoder interface {
	// encode writes all after the header, and gives the header's flags.
	encode(w *writer) (flags uint8)
}

// parseMessage is ParseASAP or ParseENRP, by what parse makes of a framed message.
func parseMessage[M any](b []byte, parse func(param, *skips) (M, *Error)) (M, error) {
	msg, err := frame(b)
	if err != nil {
		var none M
		return none, err
	}
	var sk skips
	m, err := parse(msg, &sk)
	if err = sk.join(err); err != nil {
		return m, err
	}
	return m, nil
}

// appendMessage is AppendASAP or AppendENRP, of a message of type t.
func appendMessage[T messageType](dst []byte, t T, m encoder) ([]byte, error) {
	w := writer{b: append(dst, byte(t), 0, 0, 0), start: len(dst)}
	flags := m.encode(&w)
	if w.err != nil {
		return dst, fmt.Errorf("encode %v: %w", t, w.err)
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

// unrecognizedMessage asks for a report only if the type's two highest bits are 01; 10 and 11 are reserved (RFC 5354
// section 4).
func unrecognizedMessage[T messageType](t T, msg param) *Error {
	return &Error{
		Cause:  CauseUnrecognizedMessage,
		Param:  bytes.Clone(msg.tlv),
		Report: t>>6 == 1,
		Reason: t.String(),
	}
}

// lowFlag is the only flag that most messages with flags have.
func lowFlag(msg param) bool { return msg.tlv[1]&1 != 0 }

func bit(flag bool) uint8 {
	if flag {
		return 1
	}
	return 0
}
