// SPDX-License-Identifier: Apache-2.0

package wire

// ErrorMessage is ASAP_ERROR (RFC 5352 2.2.14): the receiver of a message did not know it, or a parameter of it.
type ErrorMessage struct {
	Causes []ErrorCause // at least one
}

// Type is TypeError.
func (*ErrorMessage) Type() MessageType { return TypeError }

// ENRPErrorMessage is ENRP_ERROR (RFC 5353 2.10): what ErrorMessage is, between registrars.
type ENRPErrorMessage struct {
	Servers
	Causes []ErrorCause // at least one
}

// Type is TypeENRPError.
func (*ENRPErrorMessage) Type() ENRPType { return TypeENRPError }

func parseErrorMessage(msg param, sk *skips) (Message, *Error) {
	causes, err := parseErrorCauses(msg, HeaderLen, sk)
	if err != nil {
		return nil, err
	}
	return &ErrorMessage{Causes: causes}, nil
}

func (m *ErrorMessage) encode(w *writer) (flags uint8) {
	encodeErrorCauses(w, m.Causes)
	return 0
}

func parseENRPError(msg param, sk *skips) (ENRPMessage, *Error) {
	causes, err := parseErrorCauses(msg, enrpFixedLen, sk)
	if err != nil {
		return nil, err
	}
	return &ENRPErrorMessage{Servers: servers(msg), Causes: causes}, nil
}

func (m *ENRPErrorMessage) encode(w *writer) (flags uint8) {
	m.Servers.encode(w)
	encodeErrorCauses(w, m.Causes)
	return 0
}

// parseErrorCauses asks for no report about invalid values: nothing answers an error about an error. The RFC's rules for
// unrecognized parameters hold, and cannot echo: the report is itself well-formed.
func parseErrorCauses(msg param, from int, sk *skips) ([]ErrorCause, *Error) {
	c, err := readParams(msg, from, rule{required: 1 << paramOperationError}, sk)
	if err != nil {
		err.Report = err.Report && err.Cause != CauseInvalidValues
		return nil, err
	}
	return c.causes, nil
}

func encodeErrorCauses(w *writer, causes []ErrorCause) {
	if len(causes) == 0 {
		w.fail("no cause")
	}
	encodeCauses(w, causes)
}
