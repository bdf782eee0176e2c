// SPDX-License-Identifier: Apache-2.0

// Package decode shows the ASAP and ENRP messages of a capture file, one JSON object a line.
//
// It owns the way from a capture's bytes to whole messages (link, IP, SCTP's fragments, TCP's stream) and the names that a
// message's fields have in JSON. Its invariants:
//   - a capture's content, whatever it is, makes lines, never a panic; what is malformed is a line that says where and why,
//     and the next message is read all the same;
//   - memory is bounded: what waits for its other parts is given up, in a line that says so, when it becomes too much;
//   - every message is a line of the frame that completed it.
//
// It will not read messages itself, which is registrar/wire's; check checksums, which a capture from the sending host does
// not have yet; put IP fragments together; or decrypt.
package decode
