// SPDX-License-Identifier: Apache-2.0

// Package bpf tests the XDP program as the kernel runs it: built packets go in by
// BPF_PROG_TEST_RUN, and every test says which one verdict was counted, what the kernel was told
// to do and which bytes came out.
//
// Each row that a test checks is put to more than it says, without a word of its own: cut off at every
// length it goes nowhere and changes nothing, and with a bad checksum it stays bad (mutate_test.go).
//
// Beside the rows, mutants of many kinds of frames go through the program and through an oracle over
// gopacket, which says for each what is right (differential_test.go).
//
// It owns the specification of the program, as tables; its invariant is that what is expected
// comes from package test/packet, from an RFC or from a model written here, and never from the
// program. The program runs behind package loader's and package maps' own interfaces, in a network
// namespace where the kernel knows routes and neighbours. No packet is ever sent.
package bpf
