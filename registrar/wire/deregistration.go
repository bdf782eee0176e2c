// SPDX-License-Identifier: Apache-2.0

package wire

// Deregistration is ASAP_DEREGISTRATION (RFC 5352 2.2.2): a pool element asks to leave a pool.
type Deregistration struct {
	Pool PoolHandle
	PE   PEID
}

// Type is TypeDeregistration.
func (*Deregistration) Type() MessageType { return TypeDeregistration }

// DeregistrationResponse is ASAP_DEREGISTRATION_RESPONSE (RFC 5352 2.2.4): the answer to a Deregistration, or news that
// the registration's life is over.
type DeregistrationResponse struct {
	Pool   PoolHandle
	PE     PEID
	Causes []ErrorCause // why it was rejected; empty if it was granted
}

// Type is TypeDeregistrationResponse.
func (*DeregistrationResponse) Type() MessageType { return TypeDeregistrationResponse }

func parseDeregistration(msg param, sk *skips) (Message, *Error) {
	c, err := readParams(msg, HeaderLen, ruleElement(), sk)
	if err != nil {
		return nil, err
	}
	return &Deregistration{Pool: c.pool, PE: c.pe}, nil
}

func (m *Deregistration) encode(w *writer) (flags uint8) {
	m.Pool.encode(w)
	m.PE.encode(w)
	return 0
}

func parseDeregistrationResponse(msg param, sk *skips) (Message, *Error) {
	c, err := readParams(msg, HeaderLen, ruleResponse(), sk)
	if err != nil {
		return nil, err
	}
	return &DeregistrationResponse{Pool: c.pool, PE: c.pe, Causes: c.causes}, nil
}

func (m *DeregistrationResponse) encode(w *writer) (flags uint8) {
	m.Pool.encode(w)
	m.PE.encode(w)
	encodeCauses(w, m.Causes)
	return 0
}
