// SPDX-License-Identifier: Apache-2.0

// Package transport carries whole messages of ASAP and ENRP between two ends.
//
// It owns the sockets, the framing of messages on a byte stream, the deadlines,
// TLS of either kind, and the places of connections that are not authenticated
// yet. Its invariants:
//
//   - There is no Session without a finished handshake and a proven identity,
//     but where a configuration asks for one: a peer that only saw our certificate
//     is Anonymous, and without TLS it is Plain.
//   - Ending a context frees the call that waits under it; one Read is one message.
//   - A connection that proves nothing holds a bounded place for a bounded time:
//     when the places are taken, the oldest connection gives way.
//
// It does not parse messages beyond the length in their header, does not know
// who may do what, and does not reconnect.
package transport
