// SPDX-License-Identifier: Apache-2.0

package wire

// ErrorMessage is ASAP_ERROR (RFC 5352 2.2.14): the receiver of a message did not know it, or a parameter of it.
type ErrorMessage struct {
	Causes []ErrorCause // at least one
}

// Type is TypeError.
func (*ErrorMessage) Type() MessageType { return TypeError }

// parseErrorMessage asks for no report about invalid values: nothing answers an error about an error. The RFC's rules for
// unrecognized parameters hold, and cannot echo: the report is itself well-formed.
func parseErrorMessage(msg param, sk *skips) (Message, *Error) {
	c, err := readParams(msg, HeaderLen, rule{required: 1 << paramOperationError}, sk)
	if err != nil {
		err.Report = err.Report && err.Cause != CauseInvalidValues
		return nil, err
	}
	return &ErrorMessage{Causes: c.causes}, nil
}

func (m *ErrorMessage) encode(w *writer) (flags uint8) {
	if len(m.Causes) == 0 {
		w.fail("no cause")
	}
	encodeCauses(w, m.Causes)
	return 0
}
