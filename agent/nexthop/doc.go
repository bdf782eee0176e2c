// SPDX-License-Identifier: Apache-2.0

// Package nexthop says where packets go next, so that the data plane need not ask the kernel for each of
// them: out of which interface, to which neighbour's address, and how large they may be.
//
// It follows the routes, links and neighbours of its network namespace over netlink, answers for elements
// and for prefixes of clients, and keeps the neighbours that its answers name resolved and verified.
//
// Its invariant: a hop is what the kernel itself would do with a forwarded packet (bpf_fib_lookup), or it is
// none, and then the kernel is asked. Whatever depends on more than a packet's destination, or is not
// understood, is none: other rules than the kernel's own, several tables, several next hops, routes by type
// of service or by source, routes that expire, encapsulation. So is what is not behind one of the
// interfaces that it was given. Of path MTUs that the kernel learns for connections of its own it hears late:
// nothing tells of them, and they are found when all is read again.
//
// It writes no map (package maps does), and of the kernel's tables nothing but neighbours: those that it
// keeps are marked with its own protocol number.
package nexthop
