// SPDX-License-Identifier: Apache-2.0

package wire

// EndpointUnreachable is ASAP_ENDPOINT_UNREACHABLE (RFC 5352 2.2.9): somebody could not reach a pool element.
type EndpointUnreachable struct {
	Pool PoolHandle
	PE   PEID
}

// Type is TypeEndpointUnreachable.
func (*EndpointUnreachable) Type() MessageType { return TypeEndpointUnreachable }

func parseEndpointUnreachable(msg param, sk *skips) (Message, *Error) {
	c, err := readParams(msg, HeaderLen, ruleElement(), sk)
	if err != nil {
		return nil, err
	}
	return &EndpointUnreachable{Pool: c.pool, PE: c.pe}, nil
}

func (m *EndpointUnreachable) encode(w *writer) (flags uint8) {
	m.Pool.encode(w)
	m.PE.encode(w)
	return 0
}
