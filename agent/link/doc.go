// SPDX-License-Identifier: Apache-2.0

// Package link is a session with a registrar and the two goroutines that read and write it, for a loop that must not wait
// for a socket: those of a pool element and of a pool user.
//
// It owns the session from Start to Close. Its invariants: what is sent waits in a bounded queue, and when that is full the
// registrar does not read; after Close nothing is reported and no goroutine is left.
//
// It will not parse what it carries, nor decide when a session is of no more use.
package link
