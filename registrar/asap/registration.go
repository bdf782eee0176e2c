// SPDX-License-Identifier: Apache-2.0

package asap

import (
	"cmp"
	"errors"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/policy"
	"github.com/weir-lb/weir/registrar/wire"
)

// register is RFC 5352 3.1, the server's rules 1 to 5.
func (c *Core) register(s *step, from handlespace.Identity, m *wire.Registration) {
	k := handlespace.Key{Pool: m.Pool, PE: m.Element.ID}
	e, changed, err := c.admit(from, m)
	if err != nil {
		s.refuse(from, k, err)
		s.send(from, rejection(m, c.reject(err)))
		return
	}
	c.attach(s, from, k, e.Life)
	c.registered(k.Pool, e, changed)
	if changed {
		s.change(k.Pool)
	}
	s.update(wire.ActionAddPE, k.Pool, e)
	s.send(from, &wire.RegistrationResponse{Pool: m.Pool, PE: k.PE})
}

// admit puts the element into its pool, or says why not.
func (c *Core) admit(from handlespace.Identity, m *wire.Registration) (*handlespace.Element, bool, *wire.Error) {
	e, err := c.recorded(from, m.Element)
	if err == nil {
		err = cmp.Or(c.allow(from, m.Pool, e), sound(e), c.room(from, handlespace.Key{Pool: m.Pool, PE: e.ID}))
	}
	if err != nil {
		return nil, false, err
	}
	added, changed, refused := c.space.Register(c.cfg.Server, from, m.Pool, e)
	errors.As(refused, &err)
	return added, changed, err
}

// allow checks that an identity may register this element.
func (c *Core) allow(from handlespace.Identity, h wire.PoolHandle, e wire.PoolElement) *wire.Error {
	if err := c.mayRegister(from); err != nil || c.cfg.Unsecured {
		return err
	}
	return c.grants.allow(from, h, e.User.Addrs)
}

// mayRegister checks that an identity is one that can be a pool element: one that proved its name, or any where nothing is
// secured. "ENRP servers that support security MUST reject any PE server registration that does not use the security
// mechanisms" (threats draft 2.15.3).
func (c *Core) mayRegister(from handlespace.Identity) *wire.Error {
	if from.Kind() == handlespace.Proven || c.cfg.Unsecured && from.Kind() == handlespace.Plain {
		return nil
	}
	return refuse(wire.CauseSecurity, "the peer has not proven an identity")
}

// registered tells the pool's selector, which comes with the pool.
func (c *Core) registered(h wire.PoolHandle, e *handlespace.Element, changed bool) {
	selector := c.selectors[h]
	if selector == nil {
		selector = policy.New(e.Policy.Type)
		c.selectors[h] = selector
		c.space.Ahead(h, selector.Expect)
	}
	selector.Registered(e, changed)
}

// room checks that a new element would not be one too many, and that one from elsewhere would not be for its new owner.
func (c *Core) room(from handlespace.Identity, k handlespace.Key) *wire.Error {
	if !c.space.Owner(k).IsZero() {
		return nil // another's is refused for that
	}
	if c.space.NumOwned(from.Name()) >= c.cfg.MaxElementsPerIdentity {
		return refuse(wire.CauseLackOfResources, "the identity has too many elements")
	}
	return c.capacity(k)
}

// capacity checks that an element is there, or would not be one too many.
func (c *Core) capacity(k handlespace.Key) *wire.Error {
	if c.space.Len() >= c.cfg.MaxElements && c.space.Find(k) == nil {
		return refuse(wire.CauseLackOfResources, "there are too many elements")
	}
	return nil
}

// attach begins an element's time anew, after a registration or re-registration. A session that was set up to reach it is
// of no more use, unless the element took it to register.
func (c *Core) attach(s *step, by handlespace.Identity, k handlespace.Key, life int32) {
	w := c.watches[k]
	if w == nil {
		c.counters.Registrations++
		w = c.watched(k)
	} else {
		c.counters.Reregistrations++
		if w.asked != by {
			c.hangUp(s, w)
		}
	}
	c.yields.take(k)
	*w = watch{
		key: k, index: w.index, reaching: w.reaching, probe: c.nextProbe(s.now), expires: end(s.now, life),
	}
	c.due.moved(w)
}
