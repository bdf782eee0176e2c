// SPDX-License-Identifier: Apache-2.0

// Package control is the control channel between a pool user and a pool element
// (RFC 5352 3.8, 3.9): cookies, their echoes, and business cards, over a
// connection that the program gives.
//
// It owns both sides. An Element sends its business card and cookies, and hears
// what cookie a user brings from the element before. A User keeps the latest
// cookie and the latest recommendation whom to use next, and gives the cookie,
// unmodified and before anything else, to the next element. Its invariants: a
// message is read whole or not at all, however the connection splits it, and
// what the other side can make it keep is one message of each kind.
//
// The connection carries nothing but the messages of ASAP, one after the other,
// each padded to a multiple of four bytes. Over TCP a program that has only one
// connection has to multiplex it with its data, so that both have the same
// security (the threats to RSerPool, 2.16); over SCTP it is the messages with
// ASAP's PPID.
//
// It will not open connections, secure them, or know what a cookie says; Sign
// and Verify are for elements that share a key.
package control
