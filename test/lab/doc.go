// SPDX-License-Identifier: Apache-2.0

// Package lab builds small networks on one machine: network namespaces joined
// by veth pairs and bridges, with real processes running in them. The demo and the
// end-to-end tests use the same lab.
//
// It owns everything that it makes: the namespaces under /run/netns, the links
// in them, the processes, the lab's directory /run/weir-NAME-PID with the logs
// and, if asked for, a BPF filesystem. Everything is made in process, over
// netlink, ioctl and mount; no other tool needs to be installed.
//
// Its invariants:
//   - Close leaves nothing behind, whatever state the lab was in.
//   - A process that was started here dies with the process that started it;
//     what a killed creator leaves otherwise, Sweep (and so the next New)
//     finds by the creator's pid in every name, and removes.
//   - No thread of the calling process is ever left in a lab's namespace.
//   - Frames on a link are as they would be on a wire: no offload leaves a
//     checksum or a segmentation undone.
//
// It does not configure anything outside its own namespaces, it does not touch
// a namespace or process that it did not make, and it knows nothing of Weir.
package lab
