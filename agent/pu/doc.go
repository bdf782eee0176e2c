// SPDX-License-Identifier: Apache-2.0

// Package pu is the pool user: a program that wants the service of a pool, and
// not to know who of the pool gives it.
//
// It owns the user's side of ASAP (RFC 5352 3.3, 3.5, 3.7): resolution of pool
// handles with a cache, updates by subscription, the choice of an element by
// the pool's policy, failover with an event before it, and reports of elements
// that cannot be reached. Its invariants:
//
//   - A registrar that has not proved itself as configured is never asked; the
//     next one is.
//   - What the cache gives is not older than the stale value, unless no
//     registrar answers.
//   - No element is used in place of another before the program was told.
//
// machine decides, and has neither socket nor clock nor goroutine. The User's
// one loop feeds it events and carries out its actions.
//
// It will not speak the protocol of the service, nor secure the connections to
// elements: that is the program's matter, and what failover events are for.
package pu
