// SPDX-License-Identifier: Apache-2.0

// Package asap is the registrar's side of ASAP (RFC 5352 section 3): registration, deregistration, handle resolution and
// its updates, keep-alives, unreachability reports, registration lives and the grace of elements whose association ended.
// What other registrars tell of theirs enters the handlespace through it too, for there is one owner of every change.
//
// It owns the handlespace and every deadline in it. A Core is a state machine without sockets, clock, goroutines or
// randomness of its own: it is told what happened and what time it is, and answers with actions. Its invariants:
//   - nothing happens for the zero Identity, and nothing is created for an identity that may not have it: in a secured
//     registrar without a grant, in an unsecured one elsewhere than where it is;
//   - every element has exactly one watch, which is in the queue, so that Tick costs O(due log elements);
//   - an element whose home is another registrar has no owner here, is never probed but for a report, and its removal is
//     told to nobody: its home does that;
//   - each association that a Reach asked for is closed, or becomes that of an element that is ours;
//   - no element is forgotten while a session lives in which it registered last and has not left: another registrar that
//     thinks otherwise ends only that it is the other's;
//   - state is bounded: elements in all and for each identity, addresses, opaque data and policy bytes of an element,
//     reporters of an element, elements of a session that were yielded, subscriptions in all, for each session, and of
//     those that have proven nothing;
//   - of one call's actions, what the observer learns (Changed) comes before what the other registrars (Updated) and peers
//     (Send) are told, and that before Reach and Close; each pool is in at most one Changed.
//
// Over TCP an element has no ASAP Transport parameter: RFC 5354 3.10 wants an SCTP transport there, and RFC 5352 3.1 rule 4
// the SCTP address that the registration came from, which does not exist.
//
// It will not decode bytes, send anything, log, or know that a kernel exists.
package asap
