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
