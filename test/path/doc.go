// SPDX-License-Identifier: Apache-2.0

// Package path sends real packets through the data plane over paths whose links differ in MTU.
//
// It owns what can only be shown with kernels at both ends: that a transfer goes on because an ICMP error
// came to the end that it was for, and that a datagram in fragments arrives whole. There is no agent: the
// program runs behind package loader's and package maps' own interfaces. Its invariant is that nothing
// leaves the lab.
package path
