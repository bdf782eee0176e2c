// SPDX-License-Identifier: Apache-2.0

// Package receive makes a server's host take what a gateway sends to a virtual address (VIP) in another
// way than NAT: it adds the VIPs to the loopback interface, keeps the host from answering ARP for them,
// and for tunnels attaches the program that takes packets out of them.
//
// Its invariants: what it changed is as it was after Close; what was there before stays; after a process
// that was killed the VIPs end by themselves, and the next one takes them over.
//
// It will not start or look at the server, and it knows nothing of pools.
package receive
