// SPDX-License-Identifier: Apache-2.0

// Package handlespace holds the pools of a registrar, their elements, and who owns each.
//
// A Space is the truth; it belongs to one goroutine. An Element never changes: a change puts another in its place. A Pool is
// an immutable snapshot of one pool, made when it is asked for: it may be kept, compared by pointer, and read from any
// goroutine. Its elements are in order, which costs something for each that changed since the last snapshot, and nothing as
// long as nobody asks; what changes after that copies no more than the path to the one element.
//
// Its invariants (RFC 5352 3.1):
//   - a PE identifier is unique in its pool, and belongs to the identity that registered it until it leaves;
//   - all elements of a pool agree with it on the policy's type, the transport protocol, and the transport use;
//   - an element has one home registrar. One that registered here is owned by exactly one session of its identity, the last
//     that registered it; one that another registrar told of is owned by nobody here, and has no identity;
//   - a home's checksum is that of its elements;
//   - a pool has at least one element; the last one to leave takes the pool with it;
//   - nothing registers without an Identity.
//
// A large pool is not in the processor's caches. The index has all that most operations need, what they need besides is fetched
// together as soon as it is known, and Ahead lets others do the same for what they keep beside it.
//
// It will not judge what an identity may do (package asap does) or whether another registrar tells the truth (package enrp
// does), know a policy's meaning (package policy), keep time, or speak a protocol.
package handlespace
