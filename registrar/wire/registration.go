// SPDX-License-Identifier: Apache-2.0

package wire

// Registration is ASAP_REGISTRATION (RFC 5352 2.2.1): a pool element asks to join a pool.
type Registration struct {
	Pool    PoolHandle
	Element PoolElement
}

// Type is TypeRegistration.
func (*Registration) Type() MessageType { return TypeRegistration }

// RegistrationResponse is ASAP_REGISTRATION_RESPONSE (RFC 5352 2.2.3).
type RegistrationResponse struct {
	Reject bool // the R flag
	Pool   PoolHandle
	PE     PEID
	Causes []ErrorCause // why it was rejected, or a warning if it was not; may be empty
}

// Type is TypeRegistrationResponse.
func (*RegistrationResponse) Type() MessageType { return TypeRegistrationResponse }

func parseRegistration(msg param, sk *skips) (Message, *Error) {
	c, err := readParams(msg, HeaderLen, rule{required: 1<<paramPoolHandle | 1<<paramPoolElement}, sk)
	if err != nil {
		return nil, err
	}
	return &Registration{Pool: c.pool, Element: c.elements[0]}, nil
}

func (m *Registration) encode(w *writer) (flags uint8) {
	m.Pool.encode(w)
	m.Element.encode(w)
	return 0
}

func parseRegistrationResponse(msg param, sk *skips) (Message, *Error) {
	c, err := readParams(msg, HeaderLen, ruleResponse(), sk)
	if err != nil {
		return nil, err
	}
	return &RegistrationResponse{Reject: lowFlag(msg), Pool: c.pool, PE: c.pe, Causes: c.causes}, nil
}

func (m *RegistrationResponse) encode(w *writer) (flags uint8) {
	m.Pool.encode(w)
	m.PE.encode(w)
	encodeCauses(w, m.Causes)
	return bit(m.Reject)
}
