// SPDX-License-Identifier: Apache-2.0

// Package handlespace holds the pools of a registrar, their elements, and who owns each.
//
// A Space is the truth; it belongs to one goroutine. A Pool is an immutable snapshot of one pool: it may be kept, compared
// by pointer, and read from any goroutine. A change makes a new snapshot of the one pool it touches, which costs a copy of
// that pool's element pointers; a change that changes nothing keeps the old one.
//
// Its invariants (RFC 5352 3.1):
//   - a PE identifier is unique in its pool, and belongs to the identity that registered it until it leaves;
//   - all elements of a pool agree with it on the policy's type, the transport protocol, and the transport use;
//   - an element is owned by exactly one session of its identity, the last that registered it;
//   - a pool has at least one element; the last one to leave takes the pool with it;
//   - nothing enters without an Identity, and only an authenticated session yields one.
//
// It will not judge what an identity may do (package asap does), know a policy's meaning (package policy), keep time, or
// speak a protocol.
package handlespace
