// SPDX-License-Identifier: Apache-2.0

package wire

// EndpointUnreachable is ASAP_ENDPOINT_UNREACHABLE (RFC 5352 2.2.9): somebody could not reach a pool element.
type EndpointUnreachable struct {
	Pool PoolHandle
	PE   PEID
}

// Type is TypeEndpointUnreachable.
func (*EndpointUnreachable) Type() MessageType { return TypeEndpointUnreachable }
