// SPDX-License-Identifier: Apache-2.0

// Package packet builds, judges and compares Ethernet frames for the tests of
// the BPF programs. It knows headers from gopacket and from the RFCs, and
// nothing from the code under test.
//
// It owns Packet, the readable form of a frame; Frame and Decode, the way there
// and back; Verify, which checks lengths and checksums; Diff, which says in
// words how two frames differ; and In, GUE and Inner, the way into a tunnel and
// out of it.
//
// Its invariants: what Frame builds passes Verify unless the Packet asks for a
// fault; Decode gives back the Packet that Frame was given, unless it is a
// fragment; Diff of two different frames is never empty.
//
// It sends and receives nothing, and builds only what tests here need: IPv4 with
// options and IPv6 with extension headers, behind any number of VLAN tags; TCP,
// UDP, UDP-Lite, DCCP, SCTP, ICMP of both families, and IP in IP. Any other fault
// is made by changing bytes of a built frame.
package packet
