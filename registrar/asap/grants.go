// SPDX-License-Identifier: Apache-2.0

package asap

import (
	"net/netip"
	"slices"
	"time"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// grants is who may do what, by the identity's name. An identity with several grants has what each of them allows.
type grants map[string][]Grant

func grantsOf(list []Grant) grants {
	g := grants{}
	for _, one := range list {
		g[one.Identity] = append(g[one.Identity], one)
	}
	return g
}

// allow checks that an identity may serve a pool from all these addresses; at least one is needed, since an element
// without an address could be anywhere.
func (g grants) allow(who handlespace.Identity, pool wire.PoolHandle, addrs []netip.Addr) *wire.Error {
	if len(addrs) == 0 {
		return refuse(wire.CauseSecurity, "no address that could be checked")
	}
	serves, everywhere := false, true
	for _, a := range addrs {
		here := false
		for i := range g[who.Name()] {
			if one := &g[who.Name()][i]; slices.Contains(one.Pools, pool) {
				serves, here = true, here || one.covers(who, a)
			}
		}
		everywhere = everywhere && here
	}
	switch {
	case !serves:
		return refuse(wire.CauseSecurity, "the identity may not serve this pool")
	case !everywhere:
		return refuse(wire.CauseSecurity, "the identity may not serve from this address")
	}
	return nil
}

func (g *Grant) covers(who handlespace.Identity, addr netip.Addr) bool {
	if len(g.Addresses) == 0 {
		return who.HasAddr(addr)
	}
	return slices.ContainsFunc(g.Addresses, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// SetGrants replaces all grants. Elements that no longer have one leave as Revoked and are told so, but in an unsecured
// registrar, where none is needed. Those of other homes are not ours to judge.
func (c *Core) SetGrants(now time.Time, list []Grant) []Action {
	s := c.begin(now)
	c.grants = grantsOf(list)
	for _, name := range c.space.Owners() {
		for _, k := range c.space.Owned(name) {
			if err := c.allow(c.space.Owner(k), k.Pool, c.space.Find(k).Wire()); err != nil {
				c.dismiss(s, c.watches[k], handlespace.Revoked, err.ErrorCause())
			}
		}
	}
	return c.finish(s)
}
