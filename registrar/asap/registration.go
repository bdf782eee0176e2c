// SPDX-License-Identifier: Apache-2.0

package asap

import (
	"cmp"
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/policy"
	"github.com/weir-lb/weir/registrar/wire"
)

const (
	// maxAddrs and maxPolicyData bound what an element may make us keep, and put into every response.
	maxAddrs      = 64 // addresses
	maxPolicyData = 64 // bytes
)

// register is RFC 5352 3.1, the server's rules 1 to 5.
func (c *Core) register(s *step, from handlespace.Identity, m *wire.Registration) {
	k := handlespace.Key{Pool: m.Pool, PE: m.Element.ID}
	e, changed, err := c.admit(from, m)
	if err != nil {
		s.refuse(from, k, err)
		s.send(from, &wire.RegistrationResponse{Reject: true, Pool: m.Pool, PE: k.PE, Causes: c.reject(err)})
		return
	}
	c.watch(s, k, m.Element.Life)
	c.registered(k.Pool, e)
	if changed {
		s.change(k.Pool)
	}
	s.send(from, &wire.RegistrationResponse{Pool: m.Pool, PE: k.PE})
}

// admit puts the element into its pool, or says why not.
func (c *Core) admit(from handlespace.Identity, m *wire.Registration) (*handlespace.Element, bool, *wire.Error) {
	e := m.Element
	e.ASAP = nil // see the package comment
	e.User.Addrs = unmapped(e.User.Addrs)
	allowed := c.grants.allow(from, m.Pool, e.User.Addrs)
	if err := cmp.Or(allowed, sound(e), c.room(from, handlespace.Key{Pool: m.Pool, PE: e.ID})); err != nil {
		return nil, false, err
	}
	added, changed, err := c.space.Register(c.cfg.Server, from, m.Pool, e)
	var refusal *wire.Error
	errors.As(err, &refusal)
	return added, changed, refusal
}

// registered tells the pool's selector, which comes with the pool.
func (c *Core) registered(h wire.PoolHandle, e *handlespace.Element) {
	selector := c.selectors[h]
	if selector == nil {
		selector = policy.New(e.Policy.Type)
		c.selectors[h] = selector
	}
	selector.Registered(e)
}

// sound checks the element's own values.
func sound(e wire.PoolElement) *wire.Error {
	switch {
	case len(e.User.Addrs) > maxAddrs: // first: what follows quotes the element, and must fit into a response
		return refuse(wire.CauseLackOfResources, "too many addresses")
	case !policy.Supported(e.Policy.Type):
		return invalid("unsupported policy "+e.Policy.Type.String(), e.Policy.AppendTLV)
	case len(e.Policy.Data) > maxPolicyData:
		return invalid("too much policy data", e.Policy.AppendTLV)
	case e.Life == 0 || e.Life < wire.LifeInfinite:
		return invalid("no registration life", func([]byte) ([]byte, error) { return elementTLV(e) })
	case e.User.Port == 0:
		return invalid("no port", e.User.AppendTLV)
	}
	for _, a := range e.User.Addrs {
		if a.IsUnspecified() || a.IsMulticast() {
			return invalid("not the address of a server", e.User.AppendTLV)
		}
	}
	return nil
}

// room checks that a new element would not be one too many.
func (c *Core) room(from handlespace.Identity, k handlespace.Key) *wire.Error {
	if _, ok := c.watches[k]; ok {
		return nil
	}
	if c.space.NumOwned(from.Name()) >= c.cfg.MaxElementsPerIdentity {
		return refuse(wire.CauseLackOfResources, "the identity has too many elements")
	}
	if c.space.Len() >= c.cfg.MaxElements {
		return refuse(wire.CauseLackOfResources, "there are too many elements")
	}
	return nil
}

// watch begins an element's time anew, after a registration or re-registration.
func (c *Core) watch(s *step, k handlespace.Key, life int32) {
	w := c.watches[k]
	if w == nil {
		c.counters.Registrations++
		w = &watch{key: k}
		c.watches[k] = w
		c.due.add(w)
	} else {
		c.counters.Reregistrations++
	}
	*w = watch{key: k, index: w.index, probe: c.nextProbe(s.now)}
	if life != wire.LifeInfinite {
		w.expires = s.now.Add(time.Duration(life) * time.Second)
	}
	c.due.fix(w)
}

// unmapped is a copy with IPv4 addresses as such, so that one address has one spelling.
func unmapped(addrs []netip.Addr) []netip.Addr {
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
