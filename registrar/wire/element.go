// SPDX-License-Identifier: Apache-2.0

package wire

// LifeInfinite is the registration life of an element that never expires (RFC 5354 3.10).
const LifeInfinite int32 = -1

// PoolElement is a Pool Element parameter (RFC 5354 3.10).
type PoolElement struct {
	ID   PEID
	Home ServerID // the home registrar, 0 if undetermined
	// Life is the registration's lifetime in seconds, or LifeInfinite; smaller values are invalid. rsplib 3.4.4 sends
	// milliseconds here.
	Life   int32
	User   Transport // where the element serves
	Policy Policy
	// ASAP is where the element speaks ASAP, always SCTP; nil if absent.
	ASAP *Transport
}
