// SPDX-License-Identifier: Apache-2.0

// Package policy chooses among a pool's elements (RFC 5356): an order for a handle resolution, weights for steering.
//
// It owns what each policy means: round robin (4.1) and weighted round robin (4.2). Its functions read an immutable
// snapshot; what a policy remembers from one resolution to the next is in a Cursor that the caller keeps. Its invariant:
// only elements that are up get new work, and of a weighted pool only those of a weight above 0.
//
// It will not change a pool, keep time, or draw a random number.
package policy
