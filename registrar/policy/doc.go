// SPDX-License-Identifier: Apache-2.0

// Package policy chooses among a pool's elements (RFC 5356): an order for a handle resolution, weights for steering.
//
// It owns what each policy of RFC 5356 means: round robin and weighted round robin (wheel.go, 4.1 and 4.2), the draws
// (lottery.go, 4.3, 4.4 and 5.4) and the rankings (ranking.go, 4.5 and 5.1 to 5.3). A
// Selector follows one pool, change by change, and remembers what a policy needs from one resolution to the next; weights are
// a function of an immutable snapshot; randomness is passed in. Its invariants: only elements that are up get new work, each is named at most once, of a weighted pool only
// those of a weight above 0 get any, and load alone never leaves a pool without an element.
//
// A large pool is not in the processor's caches. Tables are by slot, so that what a change needs is found by calculation and
// not from one piece of memory to the next; who is likely to be next is fetched some resolutions ahead, and who is about to
// change while the handlespace does its part (Expect).
//
// It will not change a pool, keep time, or have a random source of its own.
package policy
