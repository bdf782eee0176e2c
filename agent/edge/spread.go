// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"cmp"
	"fmt"
	"net/netip"

	"github.com/weir-lb/weir/agent/config"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/registrar/wire"
)

// Spread is how new flows are spread over a pool.
type Spread uint8

const (
	SpreadConsistent Spread = iota // by a keyed hash, so that several gateways agree
	SpreadPolicy                   // as the pool's policy says, on each core
)

func (s Spread) String() string { return [...]string{"consistent", "policy"}[s] }

// Affinity is what the flows of which stay together.
type Affinity uint8

const (
	AffinityFlow   Affinity = iota // each flow is spread by itself
	AffinityClient                 // all flows of a client's address go to one element
)

func (a Affinity) String() string { return [...]string{"flow", "client"}[a] }

// spreadOf is how a pool of this policy is chosen from. Where the policy has an order, the elements take
// turns; the others draw, by weight.
func spreadOf(t wire.PolicyType) maps.Spread {
	switch t {
	case wire.PolicyRoundRobin, wire.PolicyWeightedRoundRobin, wire.PolicyPriority:
		return maps.Turns
	}
	return maps.Random
}

// spreads finds settings of the selection that contradict each other.
func (c *Config) spreads() (faults []config.Fault) {
	prefixes := 0
	for i, s := range c.Services {
		at := fmt.Sprintf("services[%d]", i)
		if s.Spread == SpreadPolicy && s.Affinity == AffinityClient {
			faults = append(faults, config.Faultf(at+".affinity", "client needs spread consistent: by policy each flow is spread by itself"))
		}
		seen := map[netip.Prefix]string{}
		faults = append(faults, s.badPrefixes(at+".allow", s.Allow, seen)...)
		faults = append(faults, s.badPrefixes(at+".deny", s.Deny, seen)...)
		prefixes += len(s.Allow) + len(s.Deny)
	}
	if prefixes > maps.MaxPrefixes {
		faults = append(faults, config.Faultf("services", "their lists allow and deny %d prefixes; the kernel's table has room for %d", prefixes, maps.MaxPrefixes))
	}
	return faults
}

// badPrefixes finds prefixes that no client of the service can be in, and those that seen has already.
func (c ServiceConfig) badPrefixes(list string, prefixes []netip.Prefix, seen map[netip.Prefix]string) (faults []config.Fault) {
	for i, p := range prefixes {
		path := fmt.Sprintf("%s[%d]", list, i)
		switch {
		case !p.IsValid():
		case c.VIP.IsValid() && p.Addr().Is4() != c.VIP.Is4():
			faults = append(faults, config.Faultf(path, "no client of %s comes from %s, which is of another family", c.VIP, p))
		case seen[p] != "":
			faults = append(faults, config.Faultf(path, "%s is in %s already", p, seen[p]))
		default:
			seen[p] = path
		}
	}
	return faults
}

// lists are whom the kernel lets in.
func (c ServiceConfig) lists() maps.Lists { return maps.Lists{Allow: c.Allow, Deny: c.Deny} }

// spread is how the service's table is chosen from. Before anybody registered after a restart, the policy is
// not known: it stays as it is.
func (s *service) spread(now maps.Spread) maps.Spread {
	switch {
	case s.by == SpreadConsistent:
		return maps.Consistent
	case s.policyType == 0:
		return cmp.Or(now, maps.Random)
	}
	return spreadOf(s.policyType)
}
