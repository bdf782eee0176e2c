// SPDX-License-Identifier: Apache-2.0

package wire

// EndpointKeepAlive is ASAP_ENDPOINT_KEEP_ALIVE (RFC 5352 2.2.7): a registrar asks whether a pool element is there.
type EndpointKeepAlive struct {
	Home   bool // the H flag: the sender wants to be the element's home registrar
	Server ServerID
	Pool   PoolHandle
	// PE is the element asked; nil if absent. The RFC has no such parameter, rsplib sends it.
	PE *PEID
}

// Type is TypeEndpointKeepAlive.
func (*EndpointKeepAlive) Type() MessageType { return TypeEndpointKeepAlive }

// EndpointKeepAliveAck is ASAP_ENDPOINT_KEEP_ALIVE_ACK (RFC 5352 2.2.8).
type EndpointKeepAliveAck struct {
	Pool PoolHandle
	PE   PEID
}

// Type is TypeEndpointKeepAliveAck.
func (*EndpointKeepAliveAck) Type() MessageType { return TypeEndpointKeepAliveAck }

func parseEndpointKeepAlive(msg param, sk *skips) (Message, *Error) {
	c, err := readParams(msg, serverFixedLen, rule{required: 1 << paramPoolHandle, optional: 1 << paramPEID}, sk)
	if err != nil {
		return nil, err
	}
	m := &EndpointKeepAlive{Home: lowFlag(msg), Server: serverID(msg), Pool: c.pool}
	if c.seen&(1<<paramPEID) != 0 {
		m.PE = &c.pe
	}
	return m, nil
}

func (m *EndpointKeepAlive) encode(w *writer) (flags uint8) {
	w.u32(uint32(m.Server))
	m.Pool.encode(w)
	if m.PE != nil {
		m.PE.encode(w)
	}
	return bit(m.Home)
}

func parseEndpointKeepAliveAck(msg param, sk *skips) (Message, *Error) {
	c, err := readParams(msg, HeaderLen, ruleElement(), sk)
	if err != nil {
		return nil, err
	}
	return &EndpointKeepAliveAck{Pool: c.pool, PE: c.pe}, nil
}

func (m *EndpointKeepAliveAck) encode(w *writer) (flags uint8) {
	m.Pool.encode(w)
	m.PE.encode(w)
	return 0
}
