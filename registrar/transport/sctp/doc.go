// SPDX-License-Identifier: Apache-2.0

// Package sctp is the kernel's SCTP: one-to-one sockets that carry one stream of
// messages each way, with all the addresses of both ends.
//
// It owns the descriptors. They do not block, and wait in Go's poller: a blocked
// call costs no thread, and deadlines and Close end it. Its invariants:
//
//   - One WriteMessage is one message of SCTP, and one ReadMessage is all of one:
//     ordered, on stream 0, with a payload protocol identifier that was asked for.
//     A message with another ends the association.
//   - What the kernel tells about an association is never taken for the peer's
//     data. A peer that begins anew in the same association ends it.
//
// Constants, structures and the form of addresses are those of
// github.com/ishidawataru/sctp. Its sockets are not used: each place where that
// matters says which of its faults is avoided there.
//
// It knows nothing of TLS or of the messages' contents.
package sctp
