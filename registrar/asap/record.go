// SPDX-License-Identifier: Apache-2.0

package asap

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/policy"
	"github.com/weir-lb/weir/registrar/wire"
)

const (
	// These bound what an element may make us keep, and put into every response.
	maxAddrs      = 64 // addresses
	maxPolicyData = 64 // bytes
	maxOpaque     = 64 // bytes
)

// recorded is what we record of what an element says of itself.
//
// In an unsecured registrar its user addresses are those that its association has, whatever else it says: they MUST be a
// subset "regardless of the registered transport protocol" (RFC 5352 2.2.1). It is refused if none is left. In a secured one
// the grants say which addresses an identity may serve from.
func (c *Core) recorded(from handlespace.Identity, e wire.PoolElement) (wire.PoolElement, *wire.Error) {
	e.ASAP = asapTransport(from, e.ASAP)
	e.User.Addrs = unmapped(e.User.Addrs)
	if !c.cfg.Unsecured {
		return e, nil
	}
	stated := e.User
	e.User.Addrs = slices.DeleteFunc(slices.Clone(stated.Addrs), func(a netip.Addr) bool { return !from.HasAddr(a) })
	if len(e.User.Addrs) == 0 && len(stated.Addrs) > 0 {
		return e, invalid("no user address is one of the association's", stated.AppendTLV)
	}
	return e, nil
}

// asapTransport is where an element speaks ASAP over SCTP. We MUST record "the SCTP transport address from which it received
// the ASAP_REGISTRATION" (RFC 5352 3.1 rule 4): all addresses of the association, and its port. Of what the element states
// only the port is heard, where it waits for a new home; it has no other addresses than those (2.2.1). Over TCP there is
// none, see the package comment.
func asapTransport(from handlespace.Identity, stated *wire.Transport) *wire.Transport {
	addrs := from.Addrs()
	if from.Protocol() != wire.ProtocolSCTP || len(addrs) == 0 {
		return nil
	}
	t := wire.Transport{Protocol: wire.ProtocolSCTP, Port: addrs[0].Port()}
	if stated != nil && stated.Port != 0 {
		t.Port = stated.Port
	}
	for _, a := range addrs[:min(len(addrs), maxAddrs)] {
		t.Addrs = append(t.Addrs, a.Addr().Unmap().WithZone(""))
	}
	return &t
}

// sound checks the element's own values.
func sound(e wire.PoolElement) *wire.Error {
	if err := bounded(e); err != nil { // first: what follows quotes the element, and must fit into a response
		return err
	}
	if !policy.Supported(e.Policy.Type) {
		return invalid("unsupported policy "+e.Policy.Type.String(), e.Policy.AppendTLV)
	}
	if err := lively(e); err != nil {
		return err
	}
	if e.User.Port == 0 && e.User.Protocol != wire.ProtocolOpaque {
		return invalid("no port", e.User.AppendTLV)
	}
	for _, a := range e.User.Addrs {
		if a.IsUnspecified() || a.IsMulticast() {
			return invalid("not the address of a server", e.User.AppendTLV)
		}
	}
	return nil
}

// bounded checks that an element does not make us keep too much.
func bounded(e wire.PoolElement) *wire.Error {
	switch {
	case len(e.User.Addrs) > maxAddrs || e.ASAP != nil && len(e.ASAP.Addrs) > maxAddrs:
		return refuse(wire.CauseLackOfResources, "too many addresses")
	case len(e.User.Opaque) > maxOpaque:
		return refuse(wire.CauseLackOfResources, "too much opaque data")
	case len(e.Policy.Data) > maxPolicyData:
		return invalid("too much policy data", e.Policy.AppendTLV)
	}
	return nil
}

// lively checks that an element's registration has a life.
func lively(e wire.PoolElement) *wire.Error {
	if e.Life == 0 || e.Life < wire.LifeInfinite {
		return invalid("no registration life", func([]byte) ([]byte, error) { return elementTLV(e) })
	}
	return nil
}

// unmapped is addrs with IPv4 addresses as such, so that one address has one spelling; a copy if that makes a difference.
func unmapped(addrs []netip.Addr) []netip.Addr {
	if !slices.ContainsFunc(addrs, netip.Addr.Is4In6) {
		return addrs
	}
	plain := make([]netip.Addr, len(addrs))
	for i, a := range addrs {
		plain[i] = a.Unmap()
	}
	return plain
}

// elementTLV is the Pool Element parameter as a registration has it: after the header and the handle's eight bytes.
func elementTLV(e wire.PoolElement) ([]byte, error) {
	const at = wire.HeaderLen + 8
	b, err := wire.AppendASAP(nil, &wire.Registration{Pool: "-", Element: e})
	if err != nil {
		return nil, err
	}
	return b[at : at+int(binary.BigEndian.Uint16(b[at+2:]))], nil
}

// invalid is the cause of RFC 5354 3.12.4 with the offending parameter, or without it if it cannot be encoded.
func invalid(reason string, appendTLV func([]byte) ([]byte, error)) *wire.Error {
	err := refuse(wire.CauseInvalidValues, reason)
	err.Param, _ = appendTLV(nil)
	return err
}

func refuse(cause wire.CauseCode, reason string) *wire.Error {
	return &wire.Error{Cause: cause, Report: true, Reason: reason}
}
