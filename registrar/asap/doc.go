// SPDX-License-Identifier: Apache-2.0

// Package asap is the registrar's side of ASAP (RFC 5352 section 3): registration, deregistration, handle resolution,
// keep-alives, unreachability reports, registration lives and the grace of elements whose association ended.
//
// It owns the handlespace and every deadline in it. A Core is a state machine without sockets, clock, goroutines or
// randomness of its own: it is told what happened and what time it is, and answers with actions. Its invariants:
//   - nothing happens for the zero Identity, and nothing is created for an identity without a grant for it;
//   - every element has exactly one watch, and a watch's deadline is always in the heap, so that Tick costs
//     O(due log elements);
//   - state is bounded: elements in all and for each identity, addresses and policy bytes of an element, reporters of an
//     element;
//   - of one call's actions, what the observer learns (Changed) comes before what peers are told (Send), and that before
//     Close; each pool is in at most one Changed.
//
// Over TCP an element has no ASAP Transport parameter: RFC 5354 3.10 wants an SCTP transport there, and RFC 5352 3.1 rule 4
// the SCTP address that the registration came from, which does not exist.
//
// It will not decode bytes, send anything, log, or know that a kernel exists.
package asap
