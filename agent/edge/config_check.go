// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/weir-lb/weir/agent/config"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/registrar"
	"github.com/weir-lb/weir/registrar/wire"
)

// check finds what is missing and what contradicts something else; single
// values were checked as they were read.
func (c *Config) check() []config.Fault {
	return slices.Concat(c.Registrar.Check(), c.unguarded(), c.missing(), c.repeatedNames(), c.overlaps(), c.unknownPools(), c.mixedPools(), c.tunnels(), c.spreads(), c.drains())
}

// unguarded complains about addresses that the guard cannot stand in front of.
func (c *Config) unguarded() (faults []config.Fault) {
	for _, l := range slices.Concat(c.Registrar.ASAP, c.Registrar.ENRP) {
		switch at := l.Addr; {
		case !at.IsValid():
		case at.Addr().IsUnspecified():
			faults = append(faults, config.Faultf(l.Name, "must name one address: the kernel guards exactly that one"))
		}
	}
	return faults
}

func (c *Config) missing() (faults []config.Fault) {
	need := func(have bool, path, text string) {
		if !have {
			faults = append(faults, config.Faultf(path, "%s", text))
		}
	}
	need(len(c.Interfaces) > 0, "interfaces", "is missing: the interfaces that clients and servers are behind")
	need(len(c.Services) > 0, "services", "is missing: nothing would be served")
	for i, s := range c.Services {
		at := fmt.Sprintf("services[%d]", i)
		need(s.VIP.IsValid(), at+".vip", "is missing")
		need(s.Port != 0, at+".port", "is missing")
		need(s.Protocol != 0, at+".protocol", "is missing: tcp, udp, sctp, udp-lite or dccp")
		need(s.Pool != "", at+".pool", "is missing")
	}
	return faults
}

func (c *Config) repeatedNames() []config.Fault {
	return config.Repeated(c.Interfaces, "interfaces[%d]", func(_ int, name string) string {
		return fmt.Sprintf("%q is given twice", name)
	})
}

// endpoint is what one service occupies.
type endpoint struct {
	addr     netip.AddrPort
	protocol wire.Protocol
}

func (c *Config) overlaps() (faults []config.Fault) {
	var endpoints []endpoint
	listeners := slices.Concat(c.Registrar.ASAP, c.Registrar.ENRP)
	for i, s := range c.Services {
		e := endpoint{netip.AddrPortFrom(s.VIP, s.Port), s.Protocol}
		if slices.ContainsFunc(listeners, func(l registrar.Listener) bool { return l.Addr == e.addr }) {
			faults = append(faults, config.Faultf(fmt.Sprintf("services[%d].vip", i),
				"%s is where the registrar listens; the guard would drop the service's packets", e.addr))
		}
		if !s.VIP.IsValid() || s.Port == 0 || s.Protocol == 0 {
			e = endpoint{}
		}
		endpoints = append(endpoints, e)
	}
	return append(faults, config.Repeated(endpoints, "services[%d].vip", func(first int, e endpoint) string {
		return fmt.Sprintf("%s://%s is served by services[%d] already", e.protocol, e.addr, first)
	})...)
}

// unknownPools compares the pools that grants name with those of the services,
// unless either side has a pool that could not be read, or elements may come from other registrars, or without grants.
func (c *Config) unknownPools() (faults []config.Fault) {
	if c.Registrar.Unsecured || len(c.Registrar.ENRP) > 0 {
		return nil
	}
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
				faults = append(faults, config.Faultf(fmt.Sprintf("registrar.grants[%d].pools[%d]", i, j),
					"unknown pool %q: no service has it", pool))
			}
		}
	}
	for i, pool := range served {
		if !slices.Contains(granted, pool) {
			faults = append(faults, config.Faultf(fmt.Sprintf("services[%d].pool", i),
				"unknown pool %q: no grant lets anyone serve it", pool))
		}
	}
	return faults
}

// mixedPools: all elements of a pool have one transport protocol (RFC 5352
// 3.1), so a pool cannot answer for both.
func (c *Config) mixedPools() (faults []config.Fault) {
	for i, s := range c.Services {
		first := slices.IndexFunc(c.Services, func(o ServiceConfig) bool { return o.Pool == s.Pool && o.Protocol != 0 })
		if s.Pool == "" || s.Protocol == 0 || c.Services[first].Protocol == s.Protocol {
			continue
		}
		faults = append(faults, config.Faultf(fmt.Sprintf("services[%d].protocol", i),
			"pool %q serves %s in services[%d]; a pool has one protocol, give %s a pool of its own",
			s.Pool, c.Services[first].Protocol, first, s.Protocol))
	}
	return faults
}

// tunnels finds settings of tunnels that no tunnel has.
func (c *Config) tunnels() (faults []config.Fault) {
	for i, s := range c.Services {
		if s.GUEPort != 0 && s.Mode != maps.GUE {
			faults = append(faults, config.Faultf(fmt.Sprintf("services[%d].gue_port", i), "is for mode gue, not %s", s.Mode))
		}
	}
	for i, a := range c.TunnelSource {
		first := slices.IndexFunc(c.TunnelSource, func(o netip.Addr) bool { return o.Is4() == a.Is4() && o.IsValid() })
		if a.IsValid() && first < i {
			faults = append(faults, config.Faultf(fmt.Sprintf("tunnel_source[%d]", i),
				"%s is of the family of %s; tunnels of a family come from one address", a, c.TunnelSource[first]))
		}
	}
	return faults
}

// drains finds times to drain where nothing is drained.
func (c *Config) drains() (faults []config.Fault) {
	for i, s := range c.Services {
		if s.DrainTime != 0 && s.OnLoss != maps.DrainFlows {
			faults = append(faults, config.Faultf(fmt.Sprintf("services[%d].drain_time", i), "is for on_loss drain, not %s", s.OnLoss))
		}
	}
	return faults
}

// absentInterfaces complains about names that this machine does not have.
func absentInterfaces(names, present []string) (faults []config.Fault) {
	have := strings.Join(slices.Sorted(slices.Values(present)), ", ")
	for i, name := range names {
		if name != "" && !slices.Contains(present, name) {
			faults = append(faults, config.Faultf(fmt.Sprintf("interfaces[%d]", i),
				"no interface %q on this machine, which has %s", name, have))
		}
	}
	return faults
}
