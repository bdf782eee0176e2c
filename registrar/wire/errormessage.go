// SPDX-License-Identifier: Apache-2.0

package wire

// ErrorMessage is ASAP_ERROR (RFC 5352 2.2.14): the receiver of a message did not know it, or a parameter of it.
type ErrorMessage struct {
	Causes []ErrorCause // at least one
}

// Type is TypeError.
func (*ErrorMessage) Type() MessageType { return TypeError }
