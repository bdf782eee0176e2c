// SPDX-License-Identifier: Apache-2.0

// Package interop holds the tests of Weir against rsplib, the RSerPool
// implementation that others wrote: real processes of both, each on a host of its
// own (a network namespace), over the kernel's SCTP. It is a test binary for the
// virtual machine of test/vm, which has the kernel and rsplib's programs.
//
// It owns the network, the processes with their output, and the capture of all
// that crosses the network, which is left in $VM_OUT for tshark to judge.
//
// Its invariants: rsplib's hosts are in 10.0.0.0/17 and Weir's in 10.0.128.0/17,
// so that a capture tells who sent a packet; and every frame of a test's network
// is in its capture exactly once.
//
// It knows no protocol: what it expects is what the other side's program says.
package interop
