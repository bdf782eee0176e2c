// SPDX-License-Identifier: Apache-2.0

// Package prefetch has memory at hand before it is read: what is far larger than the processor's caches costs a wait of more
// than 100 ns for each read that depends on the one before, and reads that are asked for together wait together.
//
// Its invariant: what it is given is never followed, and nothing changes but the time.
//
// It will not say who needs what.
package prefetch
