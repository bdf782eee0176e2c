// SPDX-License-Identifier: Apache-2.0

// Package registrar is an ENRP server: to pool elements and pool users (ASAP, RFC 5352) and to other registrars (ENRP, RFC
// 5353). It listens, authenticates, dials, announces, and keeps the handlespace.
//
// It owns the sessions and the one event loop. The protocols' rules are in the packages asap and enrp, whose Cores the
// loop alone touches; each session has a goroutine that reads and one that writes, and neither decides anything. Its
// invariants:
//   - security is all or nothing (threats draft 2.15.3): in a secured registrar nothing reaches a Core but from a session
//     over TLS, nothing from a registrar but from one that the configuration names by the key that it has, and who speaks
//     without TLS gets cause 0xa; in an unsecured one there is no TLS at all;
//   - the ENRP Core is not called again before all is done that it said last: it reads the handlespace that the ASAP Core
//     writes;
//   - nobody is served by a handlespace that is not whole: ASAP is not read before the ENRP Core says Synchronised;
//   - every queue is bounded: who sends faster than the loop works is made to wait, who does not read is disconnected;
//   - Run returns only after every goroutine that it started;
//   - the end of Run is no departure: the Observer is not told that anybody left, so that the last selection stays.
//
// It will not steer a packet or write to a kernel map: a Gate lets the packets of sessions through, and an Observer
// learns of every change of a pool.
package registrar
