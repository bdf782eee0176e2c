// SPDX-License-Identifier: Apache-2.0

// Package maps is the kernel image of our decisions: typed views of the BPF maps that the XDP
// program reads.
//
// It owns byte order, the keyed hash, the endpoint table, the selection tables and their swap, the
// rows of elements, the flow table's sweep, the guard's admissions and the counters. Its invariants:
// a slot of a selection never names a missing element; rows are added before a swap and retired
// after it, and are free when no flow names them; an endpoint or a flow that is there is found,
// whatever is written meanwhile; applying the same elements twice is the same as once. It knows nothing of the protocol that decides which
// elements there are, and it neither loads nor attaches anything (package loader does).
package maps
