// SPDX-License-Identifier: Apache-2.0

// Package psk is TLS with external pre-shared keys, and nothing else: TLS 1.3
// psk_dhe_ke and the PSK suites of TLS 1.2, through the system's OpenSSL 3.
//
// It owns the keys of this end, and the TLS connection between a net.Conn and
// its user. Its invariants:
//
//   - A Conn carries data only after both ends proved the key of one identity.
//     There is no fallback to certificates on either side.
//   - A server answers an unknown identity as it answers a wrong key.
//   - Keys live in C memory, are overwritten when they are replaced, and never
//     reach an error, a log or a Go string.
//   - Reading never waits for writing: what TLS wants to answer while it reads
//     goes out with the next Write or with Close (RFC 8446 4.6.3 asks for no more).
//
// One key belongs to one pair of ends (RFC 9257 4.1): a file with the same key
// under two identities is refused. RFC 8446 appendix E.7 advises against the same
// key in TLS 1.2 and 1.3; Config.MinVersion and MaxVersion settle on one where
// all peers allow it.
//
// It does not resume sessions, send tickets, renegotiate, or verify
// certificates, and it knows nothing of ASAP.
package psk
