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
