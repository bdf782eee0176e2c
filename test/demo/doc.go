// SPDX-License-Identifier: Apache-2.0

// Package demo shows a whole deployment on real traffic, and judges it: a gateway with weir edge,
// servers with nginx and weir pe beside it, a client and an attacker, each in a network namespace
// of its own and each a process of its own. It is the demo that a newcomer runs, and an end-to-end
// test at once: every check says what was expected and what was seen.
//
// It looks at the gateway from outside: what clients see, what the control socket and the pinned
// maps say. Everything that it made is removed at the end, also after a failure.
package demo
