// SPDX-License-Identifier: Apache-2.0

// Package maps is the kernel image of our decisions: typed views of the BPF maps that the XDP
// program reads.
//
// It owns byte order, the selection tables and their swap, the rows of elements, the flow
// table's sweep, the guard's admissions and the counters. Its invariants: a slot of a selection
// never names a missing element; rows are added before a swap and retired after it; applying the
// same elements twice is the same as once. It knows nothing of the protocol that decides which
// elements there are, and it neither loads nor attaches anything (package loader does).
package maps
