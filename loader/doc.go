// SPDX-License-Identifier: Apache-2.0

// Package loader brings the XDP program into the kernel and keeps it there: load, attach, pin,
// upgrade, remove, and errors that say what to do.
//
// Its invariants: maps and links are pinned and outlive the agent; a program is replaced by an
// atomic update of its link, never by detaching; pinned maps are reused only if they are
// compatible, and otherwise a new set is filled beside them and switched to; what a failed start
// attached is taken away again. It decides nothing about the maps' contents.
package loader
