// SPDX-License-Identifier: Apache-2.0

package wire

// paramHeaderLen is the length of a parameter's type and length fields, and of an error cause's (RFC 5354 section 3).
const paramHeaderLen = 4

// paddedLen is n rounded up to a multiple of 4.
func paddedLen(n int) int { return (n + 3) &^ 3 }
