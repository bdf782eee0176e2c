// SPDX-License-Identifier: Apache-2.0

// Package load measures how much a server is used, as RFC 5356 3.1 defines it: from 0, idle, to 1, fully used.
//
// Its invariant: a Sampler returns a number from 0 to 1 or an error, and is back soon after its context ends; nothing that
// it started goes on.
//
// It will not smooth, judge or report what it measured: that is the pool element's machine.
package load
