// SPDX-License-Identifier: Apache-2.0

package wire

import "fmt"

// Error is a fault in a message, or a refusal of what it asks, with the RFC 5354 cause that names it to the sender.
type Error struct {
	Cause  CauseCode
	Offset int    // where in the message the fault begins, in bytes
	Param  []byte // the offending TLV, header and all but padding; nil if the cause has no information
	Report bool   // the sender should be told, in an ASAP_ERROR or ENRP_ERROR, or in the response to its request
	Reason string // what is wrong, for people; may be empty

	skipped []ErrorCause // further unrecognized parameters whose type asks for a report
}

// Error names the cause, the reason and the offset; it contains no bytes of the message.
func (e *Error) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("%v at offset %d", e.Cause, e.Offset)
	}
	return fmt.Sprintf("%v at offset %d: %s", e.Cause, e.Offset, e.Reason)
}

// ErrorCause is the cause as it goes on the wire: the first of ErrorCauses.
func (e *Error) ErrorCause() ErrorCause { return e.ErrorCauses()[0] }

// ErrorCauses are all causes to report, never none: this error's, then those of further unrecognized parameters that were
// skipped but ask for a report ("multiple error causes are used", RFC 5354 3.12.2). They always fit one error
// message of either protocol: information too long for that is cut off, and causes that no longer fit are left out.
func (e *Error) ErrorCauses() []ErrorCause {
	first := ErrorCause{Code: e.Cause, Info: e.Param}
	room := MaxMessageLen - enrpFixedLen - paramHeaderLen // an ENRP_ERROR with an empty Operation Error
	first.Info = first.Info[:min(len(first.Info), room-paramHeaderLen)]
	causes := []ErrorCause{first}
	room -= paddedLen(paramHeaderLen + len(first.Info))
	for _, c := range e.skipped {
		need := paddedLen(paramHeaderLen + len(c.Info))
		if need > room {
			break
		}
		causes, room = append(causes, c), room-need
	}
	return causes
}
