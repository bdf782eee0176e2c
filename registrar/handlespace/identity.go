// SPDX-License-Identifier: Apache-2.0

package handlespace

import (
	"net/netip"
	"slices"
)

// Authenticated is what an Identity is made of: a session whose peer has proven its name.
type Authenticated interface {
	ID() uint64                    // unique in the process
	Peer() string                  // the proven name
	RemoteAddrs() []netip.AddrPort // where the peer is
}

// Identity is a peer that has proven its name, in one of its sessions. Two identities are equal only if they came from the
// same call of Identify. The zero Identity has proven nothing and owns nothing.
type Identity struct{ proven *proven }

type proven struct {
	name    string
	session uint64
	addrs   []netip.AddrPort
}

// Identify makes the identity of an authenticated session; call it once for each.
func Identify(s Authenticated) Identity {
	return Identity{&proven{name: s.Peer(), session: s.ID(), addrs: slices.Clone(s.RemoteAddrs())}}
}

// IsZero says that nothing has been proven.
func (i Identity) IsZero() bool { return i.proven == nil }

// Name is the proven name, "" for the zero Identity.
func (i Identity) Name() string {
	if i.IsZero() {
		return ""
	}
	return i.proven.name
}

// Session is the number of the session, 0 for the zero Identity.
func (i Identity) Session() uint64 {
	if i.IsZero() {
		return 0
	}
	return i.proven.session
}

// HasAddr says whether addr is one of the session's remote addresses. An IPv4-mapped IPv6 address is the same as the IPv4
// address.
func (i Identity) HasAddr(addr netip.Addr) bool {
	return !i.IsZero() && slices.ContainsFunc(i.proven.addrs, func(a netip.AddrPort) bool {
		return a.Addr().Unmap() == addr.Unmap()
	})
}
