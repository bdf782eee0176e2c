// SPDX-License-Identifier: Apache-2.0

// Package operate is what an operator sees of a running process: its control socket, its metrics, the tables of weir
// status, and sentences that say what to do when it cannot start.
//
// It owns what weir edge and weir registrar have in common of that, how the parts of such a process run beside each other,
// and the metrics of a registrar. Its invariants: the control socket belongs to its owner alone, and changes nothing but by a
// command that the process gave it; the metrics
// and weir status come from the same document, and never disagree; the first part that fails ends all.
//
// It will not decide what is shown or what an order means: who runs gives a Source, Commands and a Collector.
package operate
