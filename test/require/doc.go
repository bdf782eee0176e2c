// SPDX-License-Identifier: Apache-2.0

// Package require is the one way in which a test of Weir may skip.
//
// It owns the list of what a machine may lack (root, BPF, network namespaces,
// SCTP, commands of other projects) and the check for each. A check does the real thing
// once: it creates a map, it unshares a namespace; it never guesses from a version.
//
// Its invariant: a skip always says in one sentence what is missing, and a
// feature listed in the environment variable REQUIRE (comma separated, as in
// REQUIRE=root,bpf,netns) never skips: its absence is a failure.
//
// It installs nothing and changes nothing on the machine.
package require
