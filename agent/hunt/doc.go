// SPDX-License-Identifier: Apache-2.0

// Package hunt finds a registrar: the server hunt of RFC 5352 3.6, which pool
// elements and pool users share.
//
// It owns the list of where registrars may be: those that are configured, by
// name or address, and those that announced themselves by multicast. Its
// invariants:
//
//   - At most three attempts are under way at once; the first that leads to a
//     session wins, and the others are ended, and closed, before a round returns.
//   - Who failed lately is tried after who did not.
//   - An announcement is a hint and no more: the list of them is bounded, they
//     expire, and a hinted registrar must prove itself as a configured one.
//
// It will not speak ASAP with what it finds, nor decide when to hunt.
package hunt
