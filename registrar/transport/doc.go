// SPDX-License-Identifier: Apache-2.0

// Package transport carries whole ASAP messages between two ends that have
// proved themselves to each other.
//
// It owns the sockets, the framing of messages on a byte stream, the deadlines,
// and the places of connections that are not authenticated yet. Its invariants:
//
//   - There is no Session without a finished handshake and a proven identity.
//   - Ending a context frees the call that waits under it; one Read is one message.
//   - A connection that proves nothing holds a bounded place for a bounded time:
//     when the places are taken, the oldest connection gives way.
//
// It does not parse messages beyond the length in their header, does not know
// who may do what, and does not reconnect.
package transport
