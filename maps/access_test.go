// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"net/netip"
	"testing"

	"github.com/weir-lb/weir/bpf"
)

func prefixes(list ...string) (all []netip.Prefix) {
	for _, s := range list {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

// inKernel says whether the kernel's trie lets a client in, as bpf/select.h asks it.
func inKernel(t *testing.T, m *bpf.WeirMaps, at Service, client string) bool {
	t.Helper()
	row, s := service(t, m, at)
	if s.Access == 0 {
		return true
	}
	var rule uint32
	err := m.Access.Lookup(bpf.WeirAccessKey{Bits: 160, Service: row, Addr: address(netip.MustParseAddr(client))}, &rule)
	if err != nil {
		return s.Access == 1
	}
	return rule == 1
}

func TestRestrict(t *testing.T) {
	m := newMaps(t)
	s := open(t, m, web(), dns(), web6())
	clients := []string{"10.1.2.3", "10.1.9.9", "10.9.9.9", "192.0.2.1"}
	for _, tt := range []struct {
		name  string
		lists Lists
		want  [4]bool
	}{
		{"nothing", Lists{}, [4]bool{true, true, true, true}},
		{"deny one", Lists{Deny: prefixes("10.1.2.3/32")}, [4]bool{false, true, true, true}},
		{"deny all", Lists{Deny: prefixes("0.0.0.0/0")}, [4]bool{}},
		{"allow one", Lists{Allow: prefixes("10.1.2.3/32")}, [4]bool{true, false, false, false}},
		{"allow but for a part", Lists{Allow: prefixes("10.0.0.0/8"), Deny: prefixes("10.1.0.0/16")}, [4]bool{false, false, true, false}},
		{"deny but for a part of it", Lists{Allow: prefixes("10.1.2.0/24"), Deny: prefixes("10.1.0.0/16")}, [4]bool{true, false, false, false}},
		{"allow all but for a part", Lists{Allow: prefixes("0.0.0.0/0"), Deny: prefixes("10.0.0.0/8")}, [4]bool{false, false, false, true}},
		{"the same turned round", Lists{Deny: prefixes("0.0.0.0/0"), Allow: prefixes("10.0.0.0/8")}, [4]bool{true, true, true, false}},
		{"nothing again", Lists{}, [4]bool{true, true, true, true}},
	} {
		must(t, s.Restrict(web(), tt.lists))
		for i, client := range clients {
			if got := inKernel(t, m, web(), client); got != tt.want[i] {
				t.Errorf("%s: the kernel lets %s in: %v, want %v", tt.name, client, got, tt.want[i])
			}
			if got := tt.lists.Allows(netip.MustParseAddr(client)); got != tt.want[i] {
				t.Errorf("%s: the lists allow %s: %v, want %v", tt.name, client, got, tt.want[i])
			}
			if !inKernel(t, m, dns(), client) {
				t.Errorf("%s: the other service denies %s", tt.name, client)
			}
		}
		if n := entries(t, m.Access); n != len(tt.lists.Allow)+len(tt.lists.Deny) {
			t.Errorf("%s: the trie has %d prefixes", tt.name, n)
		}
	}
	must(t, s.Restrict(web6(), Lists{Allow: prefixes("2001:db8::/32")}))
	if !inKernel(t, m, web6(), "2001:db8::1") || inKernel(t, m, web6(), "2001:db9::1") {
		t.Error("an IPv6 prefix is not what decides")
	}
	if err := s.Restrict(Service{addr("10.9.9.9:1"), TCP}, Lists{}); err == nil || err.Error() != "restrict tcp://10.9.9.9:1: not a service" {
		t.Errorf("restricted what is no service: %v", err)
	}
}

// An agent that starts finds the lists of the last one, writes what differs, and forgets those of services
// that are gone.
func TestRestrictAfterRestart(t *testing.T) {
	m := newMaps(t)
	s := open(t, m, web(), dns())
	must(t, s.Restrict(web(), Lists{Deny: prefixes("10.1.0.0/16", "10.2.0.0/16")}))
	must(t, s.Restrict(dns(), Lists{Allow: prefixes("10.0.0.0/8")}))
	must(t, s.Apply(web(), []Element{element(1, "10.0.0.1:80")}))
	must(t, s.Configure(web(), Options{Slots: 1000}))
	if inKernel(t, m, web(), "10.1.0.1") {
		t.Error("what configures the service lets in who is denied")
	}
	again := open(t, m, web())
	if inKernel(t, m, web(), "10.1.0.1") || entries(t, m.Access) != 2 {
		t.Errorf("the trie has %d prefixes, want the 2 of the service that is left", entries(t, m.Access))
	}
	must(t, again.Restrict(web(), Lists{Deny: prefixes("10.2.0.0/16")}))
	if !inKernel(t, m, web(), "10.1.0.1") || inKernel(t, m, web(), "10.2.0.1") || entries(t, m.Access) != 1 {
		t.Error("the new agent's lists are not what decides")
	}
}
