// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
)

// access is whom a service is for (enum access).
type access uint8

const (
	accessAll    = access(bpf.WeirAccessACCESS_ALL)
	accessOthers = access(bpf.WeirAccessACCESS_OTHERS)
	accessListed = access(bpf.WeirAccessACCESS_LISTED)
)

// MaxPrefixes is how many prefixes all services' lists have together.
const MaxPrefixes = 65536

// Lists are the clients that may use a service. Of the prefixes that a client is in, the longest decides; of
// one that is in none, whether there is anything in Allow. Both lists empty: everyone may.
type Lists struct {
	Allow, Deny []netip.Prefix
}

// Empty says that everyone may.
func (l Lists) Empty() bool { return len(l.Allow)+len(l.Deny) == 0 }

// Allows says whether a client may use the service, as the program does.
func (l Lists) Allows(client netip.Addr) bool {
	longest, allowed := -1, len(l.Allow) == 0
	for _, list := range []struct {
		prefixes []netip.Prefix
		allow    bool
	}{{l.Allow, true}, {l.Deny, false}} {
		for _, p := range list.prefixes {
			if p.Contains(client.Unmap()) && p.Bits() > longest {
				longest, allowed = p.Bits(), list.allow
			}
		}
	}
	return allowed
}

func (l Lists) access() access {
	switch {
	case len(l.Allow) > 0:
		return accessListed
	case len(l.Deny) > 0:
		return accessOthers
	}
	return accessAll
}

// rules are the lists as they lie in the kernel.
func (l Lists) rules(service uint16) map[bpf.WeirAccessKey]bpf.WeirAccessRule {
	rules := map[bpf.WeirAccessKey]bpf.WeirAccessRule{}
	for _, p := range l.Allow {
		rules[accessKey(service, p)] = bpf.WeirAccessRuleRULE_ALLOW
	}
	for _, p := range l.Deny {
		rules[accessKey(service, p)] = bpf.WeirAccessRuleRULE_DENY
	}
	return rules
}

// accessKey is of 32 bits for the service, and of those of the prefix, where IPv4 begins after 96.
func accessKey(service uint16, p netip.Prefix) bpf.WeirAccessKey {
	p = p.Masked()
	bits := 32 + p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	return bpf.WeirAccessKey{Bits: uint32(bits), Service: service, Addr: address(p.Addr())}
}

// Restrict says who may use a service, for the flows from now on. What is new is written before what is old
// goes, so that at no time a client is let in that both the old and the new lists keep out.
func (s *Steering) Restrict(service Service, l Lists) error {
	id, ok := s.services[service]
	if !ok {
		return fmt.Errorf("restrict %s: not a service", service)
	}
	want, have := l.rules(id), s.access[id]
	for key, rule := range want {
		if have[key] == rule {
			continue
		}
		if err := s.maps.Access.Put(key, uint32(rule)); err != nil {
			return fmt.Errorf("restrict %s: %w", service, err)
		}
	}
	if o := s.options[id]; o.access != l.access() {
		o.access = l.access()
		if err := writeService(s.maps, id, service, serviced, o); err != nil {
			return err
		}
		s.options[id] = o
	}
	if err := s.forgetRules(have, want); err != nil {
		return fmt.Errorf("restrict %s: %w", service, err)
	}
	s.access[id] = want
	return nil
}

// forgetRules removes the rules that are not wanted.
func (s *Steering) forgetRules(have, want map[bpf.WeirAccessKey]bpf.WeirAccessRule) error {
	for key := range have {
		if _, ok := want[key]; ok {
			continue
		}
		if err := s.maps.Access.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return err
		}
	}
	return nil
}

// adoptAccess reads the rules; those of rows that are no service's go.
func (s *Steering) adoptAccess(used map[uint16]use) error {
	var key bpf.WeirAccessKey
	var rule uint32
	it := s.maps.Access.Iterate()
	for it.Next(&key, &rule) {
		if s.access[key.Service] == nil {
			s.access[key.Service] = map[bpf.WeirAccessKey]bpf.WeirAccessRule{}
		}
		s.access[key.Service][key] = bpf.WeirAccessRule(rule)
	}
	if err := it.Err(); err != nil {
		return fmt.Errorf("read the services' lists: %w", err)
	}
	for id, rules := range s.access {
		if used[id].kind == serviced {
			continue
		}
		if err := s.forgetRules(rules, nil); err != nil {
			return fmt.Errorf("forget the lists of a service that is gone: %w", err)
		}
		delete(s.access, id)
	}
	return nil
}
