// SPDX-License-Identifier: Apache-2.0

package asap

import (
	"errors"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// deregister is RFC 5352 3.2. The identity that registered the element may do it in any of its sessions, so that one whose
// association broke need not register again only to leave. An unknown element is gone already: granted.
func (c *Core) deregister(s *step, from handlespace.Identity, m *wire.Deregistration) {
	k := handlespace.Key{Pool: m.Pool, PE: m.PE}
	if err := c.leave(s, from, k); err != nil {
		s.refuse(from, k, err)
		s.send(from, rejection(m, c.reject(err)))
		return
	}
	c.counters.Deregistrations++
	s.send(from, &wire.DeregistrationResponse{Pool: m.Pool, PE: m.PE})
}

func (c *Core) leave(s *step, from handlespace.Identity, k handlespace.Key) *wire.Error {
	if err := c.mayRegister(from); err != nil {
		return err
	}
	if err := c.claim(s, from, k); err != nil {
		return err
	}
	e, err := c.space.Deregister(from, k)
	var refusal *wire.Error
	if errors.As(err, &refusal) {
		return refusal
	}
	if e != nil {
		c.departed(s, k, e, handlespace.Deregistered)
	}
	return nil
}

// claim makes an element that nobody owns here the identity's, so that it can be removed: one that leaves while its home is
// down comes to the next registrar for that (RFC 5352 3.2). The others learn both, for they take nothing about it from us
// before we are its home.
func (c *Core) claim(s *step, from handlespace.Identity, k handlespace.Key) *wire.Error {
	e := c.space.Find(k)
	if e == nil || e.Identity() != "" {
		return nil
	}
	if err := c.mayServe(from, k); err != nil {
		return err
	}
	if c.space.Rehome(k, c.cfg.Server) {
		c.altered(s, k)
		s.update(wire.ActionAddPE, k.Pool, c.space.Find(k))
	}
	return nil
}
