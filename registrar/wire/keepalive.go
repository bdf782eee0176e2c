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
