// SPDX-License-Identifier: Apache-2.0

// Package registrar is an ENRP server as pool elements see it (RFC 5352): it listens, authenticates, and keeps the
// handlespace of those who enrol.
//
// It owns the sessions and the one event loop. The protocol's rules are in package asap, whose Core the loop alone
// touches; each session has a goroutine that reads and one that writes, and neither decides anything. Its invariants:
//   - nothing reaches the Core but from a session whose peer has proven its identity;
//   - every queue is bounded: who sends faster than the loop works is made to wait, who does not read is disconnected;
//   - Run returns only after every goroutine that it started;
//   - the end of Run is no departure: the Observer is not told that anybody left, so that the last selection stays.
//
// It will not steer a packet or write to a kernel map: a Gate lets the packets of sessions through, and an Observer
// learns of every change of a pool.
package registrar
