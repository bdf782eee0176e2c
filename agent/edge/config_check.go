// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/weir-lb/weir/registrar/wire"
)

// check finds what is missing and what contradicts something else; single
// values were checked as they were read.
func (c *Config) check() []fault {
	return slices.Concat(c.missing(), c.repeatedNames(), c.overlaps(), c.unknownPools(), c.mixedPools())
}

func (c *Config) missing() (faults []fault) {
	need := func(have bool, path, text string) {
		if !have {
			faults = append(faults, faultf(path, "%s", text))
		}
	}
	r := &c.Registrar
	need(r.Listen.IsValid(), "registrar.listen", "is missing: the address and port where pool elements enrol")
	need(!r.Listen.IsValid() || !r.Listen.Addr().IsUnspecified(), "registrar.listen",
		"must name one address: the kernel guards exactly that one")
	need(r.KeyFile != "", "registrar.key_file", "is missing: the file with a line identity:hexkey for each pool element")
	need(len(r.Grants) > 0, "registrar.grants", "is missing: nobody could enrol")
	for i, g := range r.Grants {
		at := fmt.Sprintf("registrar.grants[%d]", i)
		need(g.Identity != "", at+".identity", "is missing")
		need(len(g.Pools) > 0, at+".pools", "is missing: the pools that this identity may serve")
	}
	need(len(c.Interfaces) > 0, "interfaces", "is missing: the interfaces that clients and servers are behind")
	need(len(c.Services) > 0, "services", "is missing: nothing would be served")
	for i, s := range c.Services {
		at := fmt.Sprintf("services[%d]", i)
		need(s.VIP.IsValid(), at+".vip", "is missing")
		need(s.Port != 0, at+".port", "is missing")
		need(s.Protocol != 0, at+".protocol", "is missing: tcp or udp")
		need(s.Pool != "", at+".pool", "is missing")
	}
	return faults
}

// repeated complains about values that came before; the zero value stands for
// one that could not be read.
func repeated[T comparable](values []T, path string, text func(first int, v T) string) (faults []fault) {
	var none T
	for i, v := range values {
		if first := slices.Index(values, v); first < i && v != none {
			faults = append(faults, faultf(fmt.Sprintf(path, i), "%s", text(first, v)))
		}
	}
	return faults
}

func (c *Config) repeatedNames() []fault {
	var identities []string
	var faults []fault
	for i, g := range c.Registrar.Grants {
		identities = append(identities, g.Identity)
		at := fmt.Sprintf("registrar.grants[%d]", i)
		faults = append(faults, repeated(g.Pools, at+".pools[%d]", func(_ int, p wire.PoolHandle) string {
			return fmt.Sprintf("%q is given twice", p)
		})...)
		faults = append(faults, repeated(g.Addresses, at+".addresses[%d]", func(_ int, p netip.Prefix) string {
			return p.String() + " is given twice"
		})...)
	}
	faults = append(faults, repeated(identities, "registrar.grants[%d].identity", func(first int, id string) string {
		return fmt.Sprintf("%q has grants[%d] already; put all its pools and addresses there", id, first)
	})...)
	return append(faults, repeated(c.Interfaces, "interfaces[%d]", func(_ int, name string) string {
		return fmt.Sprintf("%q is given twice", name)
	})...)
}

// endpoint is what one service occupies.
type endpoint struct {
	addr     netip.AddrPort
	protocol wire.Protocol
}

func (c *Config) overlaps() (faults []fault) {
	var endpoints []endpoint
	for i, s := range c.Services {
		e := endpoint{netip.AddrPortFrom(s.VIP, s.Port), s.Protocol}
		if e.addr == c.Registrar.Listen {
			faults = append(faults, faultf(fmt.Sprintf("services[%d].vip", i),
				"%s is where the registrar listens; the guard would drop the service's packets", e.addr))
		}
		if !s.VIP.IsValid() || s.Port == 0 || s.Protocol == 0 {
			e = endpoint{}
		}
		endpoints = append(endpoints, e)
	}
	return append(faults, repeated(endpoints, "services[%d].vip", func(first int, e endpoint) string {
		return fmt.Sprintf("%s://%s is served by services[%d] already", e.protocol, e.addr, first)
	})...)
}

// unknownPools compares the pools that grants name with those of the services,
// unless either side has a pool that could not be read.
func (c *Config) unknownPools() (faults []fault) {
	var granted, served []wire.PoolHandle
	for _, g := range c.Registrar.Grants {
		granted = append(granted, g.Pools...)
	}
	for _, s := range c.Services {
		served = append(served, s.Pool)
	}
	if slices.Contains(granted, "") || slices.Contains(served, "") {
		return nil
	}
	for i, g := range c.Registrar.Grants {
		for j, pool := range g.Pools {
			if !slices.Contains(served, pool) {
				faults = append(faults, faultf(fmt.Sprintf("registrar.grants[%d].pools[%d]", i, j),
					"unknown pool %q: no service has it", pool))
			}
		}
	}
	for i, pool := range served {
		if !slices.Contains(granted, pool) {
			faults = append(faults, faultf(fmt.Sprintf("services[%d].pool", i),
				"unknown pool %q: no grant lets anyone serve it", pool))
		}
	}
	return faults
}

// mixedPools: all elements of a pool have one transport protocol (RFC 5352
// 3.1), so a pool cannot answer for both.
func (c *Config) mixedPools() (faults []fault) {
	for i, s := range c.Services {
		first := slices.IndexFunc(c.Services, func(o ServiceConfig) bool { return o.Pool == s.Pool && o.Protocol != 0 })
		if s.Pool == "" || s.Protocol == 0 || c.Services[first].Protocol == s.Protocol {
			continue
		}
		faults = append(faults, faultf(fmt.Sprintf("services[%d].protocol", i),
			"pool %q serves %s in services[%d]; a pool has one protocol, give %s a pool of its own",
			s.Pool, c.Services[first].Protocol, first, s.Protocol))
	}
	return faults
}

// absentInterfaces complains about names that this machine does not have.
func absentInterfaces(names, present []string) (faults []fault) {
	have := strings.Join(slices.Sorted(slices.Values(present)), ", ")
	for i, name := range names {
		if name != "" && !slices.Contains(present, name) {
			faults = append(faults, faultf(fmt.Sprintf("interfaces[%d]", i),
				"no interface %q on this machine, which has %s", name, have))
		}
	}
	return faults
}
