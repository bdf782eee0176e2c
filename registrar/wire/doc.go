// SPDX-License-Identifier: Apache-2.0

// Package wire is the codec of ASAP (RFC 5352 section 2) and ENRP (RFC 5353 section 2) with their parameters (RFC 5354,
// RFC 5356): bytes to messages and back.
//
// It owns the formats: the type-length-value rules, the parameters, the messages, the error causes, what a receiver
// does with a parameter or message it does not know, and the PE checksum. Its invariants:
//   - decoding never panics, never allocates from an unchecked length, and keeps no reference to its input;
//   - every decoding error is an *Error with an RFC 5354 cause;
//   - a message that decodes encodes again, and decodes to an equal message.
//
// Decoding and encoding apply the same checks, so that what one of them accepts the other does too.
//
// It will not judge what a value means to a pool (is the policy supported, may this address serve, is the lifetime
// sensible), read a socket or a clock, or log. It imports only the standard library.
package wire
