// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/weir-lb/weir/registrar/wire"
)

// timeLayout has all digits, so that times can be compared as text.
const timeLayout = "2006-01-02T15:04:05.000000000Z07:00"

// fault is what is wrong, and where.
type fault struct {
	in     string // what offset counts from: the "message", the "packet" from its transport's header on, or the "stream"
	offset int    // in bytes
	cause  *wire.CauseCode
	reason string
}

func (d *decoder) line(o object) {
	if d.writeErr != nil {
		return
	}
	b, err := appendJSON(nil, o)
	if err == nil {
		_, err = d.out.Write(append(b, '\n'))
	}
	d.writeErr = err
}

// head is the members that every line begins with.
func (o origin) head(p protocol) object {
	return object{
		{"frame", o.frame},
		{"time", o.at.UTC().Format(timeLayout)},
		{"source", o.src.String()},
		{"destination", o.dst.String()},
		{"transport", o.transport},
		{"protocol", p.name},
	}
}

// malformed writes a line with an error. b is what there is of the message, nil if nothing is known of it.
func (d *decoder) malformed(o origin, p protocol, f fault, b []byte) {
	d.sum.Malformed++
	e := object{{"in", f.in}, {"offset", f.offset}}
	if f.cause != nil {
		e = append(e, field{"cause_code", uint16(*f.cause)}, field{"cause", f.cause.String()})
	}
	if f.reason != "" {
		e = append(e, field{"reason", f.reason})
	}
	line := append(o.head(p), field{"error", e})
	if len(b) > 0 {
		line = append(line, field{"raw", hex.EncodeToString(b)})
	}
	d.line(line)
}

// message writes a line for one message, b with its padding or without. again says that SCTP sent it a second time.
func (d *decoder) message(o origin, p protocol, b []byte, again bool) {
	if len(b) < wire.HeaderLen {
		reason := fmt.Sprintf("%d bytes are no message", len(b))
		d.malformed(o, p, fault{in: "message", reason: reason}, b)
		return
	}
	m, err := p.parse(b)
	if err != nil && m == nil {
		d.malformed(o, p, faultOf(err), b)
		return
	}
	d.sum.Messages++
	line := append(o.head(p),
		field{"message_type", p.typeName(b[0])},
		field{"message_flags", fmt.Sprintf("0x%02x", b[1])},
		field{"message_length", int(b[2])<<8 | int(b[3])})
	if again {
		line = append(line, field{"retransmission", true})
	}
	line = append(line, fields(m)...)
	if err != nil {
		line = append(line, field{"to_report", reports(err)})
	}
	d.line(line)
}

func faultOf(err error) fault {
	var e *wire.Error
	if !errors.As(err, &e) {
		return fault{in: "message", reason: err.Error()}
	}
	return fault{in: "message", offset: e.Offset, cause: &e.Cause, reason: e.Reason}
}

// reports are the error causes that the receiver of a message has to report, though it takes the message.
func reports(err error) []object {
	var e *wire.Error
	if !errors.As(err, &e) {
		return []object{{{"reason", err.Error()}}}
	}
	return causes(e.ErrorCauses())
}
