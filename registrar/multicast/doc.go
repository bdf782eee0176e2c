// SPDX-License-Identifier: Apache-2.0

// Package multicast sends datagrams to a group and receives what others send to it, on one interface.
//
// It owns the sockets of the announcements of RFC 5352 3.6 and of RFC 5353 3.1. Its invariants: a Group receives what
// comes in by its own interface and for its own group alone; what it sends leaves by that interface, from the address and
// port that it was told, with the hop limit that it was told.
//
// Anybody can send such a datagram, with any source address: nothing that is received is proven. It will not parse it.
package multicast
