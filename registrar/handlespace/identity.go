// SPDX-License-Identifier: Apache-2.0

package handlespace

import (
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/weir-lb/weir/registrar/wire"
)

// Kind says what is known of who is behind an Identity.
type Kind uint8

const (
	// Nobody is the kind of the zero Identity.
	Nobody Kind = iota
	// Proven: the peer has proven its name.
	Proven
	// Anonymous: the peer has proven nothing, but its session is protected, and it knows who we are.
	Anonymous
	// Plain: the session is not protected at all, and the peer is whoever can send from its address.
	Plain
)

// String gives the kind in lower case, "proven".
func (k Kind) String() string {
	switch k {
	case Nobody:
		return "nobody"
	case Proven:
		return "proven"
	case Anonymous:
		return "anonymous"
	}
	return "plain"
}

// Session is what an Identity is made of.
type Session interface {
	ID() uint64                    // unique in the process
	Peer() string                  // the name that the peer has proven
	RemoteAddrs() []netip.AddrPort // where the peer is
	Protocol() wire.Protocol       // what it runs over
}

// Identity is a peer in one of its sessions. Two identities are equal only if they came from the same call of Identify. The
// zero Identity owns nothing.
type Identity struct{ who *who }

type who struct {
	kind    Kind
	name    string
	session uint64
	addrs   []netip.AddrPort
	over    wire.Protocol
	owner   atomic.Pointer[owner] // in the Space that had to do with it last; nobody else looks into it
}

// Identify makes the identity of a session, whose kind must not be Nobody; call it once for each. One whose peer has proven
// no name is called by its kind and its lowest address, "plain:10.0.0.1": all its sessions from there are one. A name that
// was proven may look like that, but no registrar takes both registrations of Proven and of Plain peers.
func Identify(s Session, k Kind) Identity {
	w := &who{kind: k, name: s.Peer(), session: s.ID(), addrs: slices.Clone(s.RemoteAddrs()), over: s.Protocol()}
	if k != Proven {
		w.name = k.String() + ":" + w.lowest()
	}
	return Identity{w}
}

// lowest is the lowest of the addresses; "" if there is none.
func (w *who) lowest() string {
	if len(w.addrs) == 0 {
		return ""
	}
	first := slices.MinFunc(w.addrs, func(a, b netip.AddrPort) int { return a.Addr().Unmap().Compare(b.Addr().Unmap()) })
	return first.Addr().Unmap().String()
}

// IsZero says that nobody is behind it.
func (i Identity) IsZero() bool { return i.who == nil }

// contests says whether the two are of different names: neither may have what is the other's.
func (i Identity) contests(o Identity) bool {
	return i != o && !i.IsZero() && !o.IsZero() && i.who.name != o.who.name
}

// Kind is Nobody for the zero Identity.
func (i Identity) Kind() Kind {
	if i.IsZero() {
		return Nobody
	}
	return i.who.kind
}

// Name is what the peer is called, "" for the zero Identity.
func (i Identity) Name() string {
	if i.IsZero() {
		return ""
	}
	return i.who.name
}

// Session is the number of the session, 0 for the zero Identity.
func (i Identity) Session() uint64 {
	if i.IsZero() {
		return 0
	}
	return i.who.session
}

// HasAddr says whether addr is one of the session's remote addresses. An IPv4-mapped IPv6 address is the same as the IPv4
// address.
func (i Identity) HasAddr(addr netip.Addr) bool {
	return !i.IsZero() && slices.ContainsFunc(i.who.addrs, func(a netip.AddrPort) bool {
		return a.Addr().Unmap() == addr.Unmap()
	})
}

// Addrs are the session's remote addresses, not to be written to; none for the zero Identity.
func (i Identity) Addrs() []netip.AddrPort {
	if i.IsZero() {
		return nil
	}
	return i.who.addrs
}

// Protocol is what the session runs over, 0 for the zero Identity.
func (i Identity) Protocol() wire.Protocol {
	if i.IsZero() {
		return 0
	}
	return i.who.over
}
