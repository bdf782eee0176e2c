// SPDX-License-Identifier: Apache-2.0

// Package enrp is what a registrar says to other registrars, and what it makes of what they say (RFC 5353): its start with a
// mentor's help, the list of peers and who of them is alive, the updates of elements, the audit by checksums and the
// resynchronisation after it, and the takeover of the elements of a peer that died.
//
// A Core is a state machine without sockets, clock, goroutines or randomness of its own: it is told what happened and what
// time it is, and answers with actions. It reads the handlespace and never writes it. Whoever calls it does what Learn,
// Forget and TakeOver say, in their order, before the next call. Its invariants:
//   - nothing is believed that came from a session whose peer is another registrar than the message's sender;
//   - an element is forgotten only on the word of its home, or of whoever speaks for a home that is gone; a
//     resynchronisation forgets at its end, when the whole table is known, or not at all;
//   - a takeover ends: with its completion, with the target's voice, or in favour of another registrar, and if that one
//     does not finish either, it begins again;
//   - a peer that we hear keeps its elements, whoever says to have taken it over;
//   - state is bounded: peers, sessions of each, addresses to dial, tables that are being handed out, announcements that
//     are remembered.
//
// Who is right when two registrars both are an element's home? An announcement (ADD_PE) is an event: the later one is right
// (RFC 5353 3.3.1 rule 3), unless ours is so young that the two may have crossed. An entry of a handle table is a state, and
// says nothing about time: what is registered here, in a session that lives, stays. What we only took over gives way to
// the registrar that we took it from. What remains is settled by the identifiers, as takeovers are.
//
// A registrar that does not hear another takes it over, and a third may hear both. RFC 5353 3.5.2 has the third believe it,
// and so lose what registers with the target meanwhile. Here it acknowledges the takeover, as 3.5.1 has it, asks the target,
// and waits for its answer for MAX-TIME-NO-RESPONSE, or until its last session ends. If the target is there, what the
// taker's table and checksum have of its elements is not believed: see dispute. When the two hear each other again, the
// taker gives them back.
//
// It will not decode bytes, dial, send, log, or judge an element's values.
package enrp
