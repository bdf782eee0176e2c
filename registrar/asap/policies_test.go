// SPDX-License-Identifier: Apache-2.0

package asap_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/wire"
)

func TestResolutionByPolicy(t *testing.T) {
	pool := func(policies ...wire.Policy) (given []event) {
		for i, p := range policies {
			given = append(given, registers(0, "a", "web", wire.PEID(i+1), policed(p)))
		}
		return given
	}
	lud := func(load uint32) wire.Policy { return wire.LeastUsedWithDegradation(load, 10) }
	checkRules(t, []rule{
		{
			"RFC 5356 4.3: random", pool(wire.Random()), resolves(1, "r", "web"),
			[]string{"r <- resolution A=false web 1 random"},
		},
		{
			"RFC 5356 4.4: weighted random", pool(wire.WeightedRandom(0), wire.WeightedRandom(9)), resolves(1, "r", "web"),
			[]string{"r <- resolution A=false web 2 weighted-random"},
		},
		{
			"RFC 5356 4.5: priority", pool(wire.Priority(1), wire.Priority(3), wire.Priority(2)), resolves(1, "r", "web"),
			[]string{"r <- resolution A=false web 2 3 1 priority"},
		},
		{
			"RFC 5356 5.1: least used", pool(wire.LeastUsed(8), wire.LeastUsed(7)), resolves(1, "r", "web"),
			[]string{"r <- resolution A=false web 2 1 least-used"},
		},
		{
			"RFC 5356 5.3: priority least used", pool(wire.PriorityLeastUsed(1, 9), wire.PriorityLeastUsed(5, 1)),
			resolves(1, "r", "web"),
			[]string{"r <- resolution A=false web 2 1 priority-least-used"},
		},
		{
			"RFC 5356 5.4: randomized least used", pool(wire.RandomizedLeastUsed(0xffffffff), wire.RandomizedLeastUsed(0)),
			resolves(1, "r", "web"),
			[]string{"r <- resolution A=false web 2 1 randomized-least-used"},
		},
		{
			"RFC 5356 5.2.2: what was returned counts",
			append(pool(lud(0), lud(5)), resolves(1, "r", "web", 1)), resolves(2, "s", "web", 1),
			[]string{"s <- resolution A=false web 2 least-used-with-degradation"},
		},
		{
			"RFC 5356 5.2.2: until it registers again, though as before",
			append(pool(lud(0), lud(5)), resolves(1, "r", "web", 1), registers(2, "a", "web", 1, policed(lud(0)))),
			resolves(3, "s", "web", 1),
			[]string{"s <- resolution A=false web 1 least-used-with-degradation"},
		},
		{
			"RFC 5356 5.2.2: a registration that is refused resets nothing",
			append(pool(lud(0), lud(5)), resolves(1, "r", "web", 1), registers(2, "b", "web", 1, policed(lud(0)))),
			resolves(3, "s", "web", 1),
			[]string{"s <- resolution A=false web 2 least-used-with-degradation"},
		},
	})
}

// RFC 5356 5.2.2 counts what is returned: not the elements that had no place in the response.
func TestCutElementsDoNotCount(t *testing.T) {
	wide := asap.Grant{
		Identity: "a", Pools: []wire.PoolHandle{"web"}, Addresses: []netip.Prefix{netip.MustParsePrefix("::/0")},
	}
	w := newWorld(func(c *asap.Config) { c.MaxElementsPerIdentity, c.Grants = 2000, []asap.Grant{wide} })
	// An element is 16 bytes of its own, 8 + 20 of a TCP transport over IPv6, 16 of the policy; before them are a header,
	// a handle and the overall policy, 4 + 8 + 16.
	const fit = (65535 - 28) / 60
	for id := range wire.PEID(fit + 2) {
		p := wire.LeastUsedWithDegradation(uint32(id), 10_000)
		w.play(registers(0, "a", "web", id, addrs("2001:db8::1"), policed(p)))
	}
	if m := w.play(resolves(1, "r", "web"))[0].(asap.Send).Message.(*wire.HandleResolutionResponse); len(m.Elements) != fit {
		t.Fatalf("%d elements, want %d", len(m.Elements), fit)
	}
	got := w.lines(w.play(resolves(1, "r", "web", 3)))
	want := []string{fmt.Sprintf("r <- resolution A=false web %d %d 0 least-used-with-degradation", fit, fit+1)}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
