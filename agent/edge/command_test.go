// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

func drained(yes bool) func(*order) { return func(o *order) { o.drained = yes } }
func weighed(weight uint32) func(*order) {
	return func(o *order) { o.weighed, o.weight = true, weight }
}
func byPolicy(o *order) { o.weighed, o.weight = false, 0 }

// say gives an order that must be taken.
func (k *kernel) say(element string, change func(*order)) Ordered {
	k.t.Helper()
	done, err := k.command(Target{string(testPool), element}, change)
	must(k.t, err)
	return done
}

// wants checks the rows of the first service: address, state in the kernel, and what is ordered.
func (k *kernel) wants(when string, want ...string) {
	k.t.Helper()
	var got []string
	for _, row := range k.steering.Rows(k.services[0].Service) {
		var e bpf.WeirElement
		must(k.t, k.maps.Elements.Lookup(uint32(row.Index), &e))
		text := fmt.Sprintf("%d@%s %s", row.PE, row.Addr, maps.State(e.State))
		if row.Drained {
			text += " drained"
		}
		if row.Weighed {
			text += fmt.Sprintf(" weight %d", row.Weight)
		}
		if (e.Flags != 0) != (row.Drained || row.Weighed) {
			text += fmt.Sprintf(" flags %d", e.Flags)
		}
		got = append(got, text)
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		k.t.Errorf("%s: the rows are\n%s\nwant\n%s", when, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

const (
	first  = "10.0.11.1:80"
	second = "10.0.11.2:80"
)

// What an operator has drained stays drained, whatever becomes of it meanwhile.
func TestDrainedUntilUndrained(t *testing.T) {
	restart := func(k *kernel) { // of the gateway: what it knows is what lies in the rows
		k.pools, k.services = map[wire.PoolHandle]change{}, nil
		must(k.t, k.configure(configured("10.0.100.1"), k.now))
	}
	gone := func(k *kernel) {
		k.leave(1, handlespace.Deregistered)
		k.passes(2 * closing)
		k.passes(2 * closing)
	}
	for _, tc := range []struct {
		name string
		then func(*kernel)
		want string
	}{
		{"from now on", func(*kernel) {}, "1@" + first + " away drained"},
		{"it registers again", func(k *kernel) { k.register(1, first) }, "1@" + first + " away drained"},
		{"a reload", func(k *kernel) { must(k.t, k.configure(configured("10.0.100.1"), k.now)) }, "1@" + first + " away drained"},
		{"a restart", restart, "1@" + first + " away drained"},
		{"a restart, and it registers again", func(k *kernel) { restart(k); k.register(1, first) }, "1@" + first + " away drained"},
		{"it leaves, and its row is kept", gone, "1@" + first + " draining drained"},
		{"it leaves and comes back", func(k *kernel) { gone(k); k.register(1, first) }, "1@" + first + " away drained"},
		{"it leaves, a restart, it comes back", func(k *kernel) { gone(k); restart(k); k.register(1, first) }, "1@" + first + " away drained"},
		{"it comes back under another identifier", func(k *kernel) { gone(k); k.register(3, first); k.passes(closing) }, "3@" + first + " away drained"},
		{"it is lost, and its row is kept", func(k *kernel) { k.leave(1, handlespace.Lost); k.passes(2 * closing) }, "1@" + first + " lost drained"},
		{"undrained", func(k *kernel) { k.say("0x1", drained(false)) }, "1@" + first + " active"},
		{"undrained by its name", func(k *kernel) { k.say("pe-1", drained(false)) }, "1@" + first + " active"},
		{"undrained while it is gone", func(k *kernel) { gone(k); k.say("1", drained(false)); k.register(1, first) }, "1@" + first + " active"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newKernel(t)
			k.register(1, first)
			k.register(2, second)
			k.say("0x00000001", drained(true))
			tc.then(k)
			var one []string
			for _, row := range k.steering.Rows(k.services[0].Service) {
				if row.Addr == addr(first) {
					one = append(one, row.Addr.String())
				}
			}
			if len(one) != 1 {
				t.Fatalf("%d rows at %s, want 1", len(one), first)
			}
			k.forgetOther()
			k.wants(tc.name, tc.want)
		})
	}
}

// forgetOther takes the element that a test does not look at out of the kernel.
func (k *kernel) forgetOther() {
	delete(k.services[0].elements, elementKey{2, addr(second)})
	k.apply(k.services[0])
}

// An element that moves is drained at its new address, too; when it is undrained there, it is everywhere.
func TestDrainedElementMoves(t *testing.T) {
	k := newKernel(t)
	k.register(1, first)
	k.say("0x1", drained(true))
	k.register(1, second)
	k.wants("moved", "1@"+first+" draining drained", "1@"+second+" away drained")
	k.passes(2 * closing)
	k.wants("settled", "1@"+second+" away drained")
	k.say("pe-1", drained(false))
	k.wants("undrained", "1@"+second+" active")
}

// A service that is added by a reload finds its pool's elements drained.
func TestDrainIsOfThePool(t *testing.T) {
	k := newKernel(t)
	k.register(1, first)
	k.register(2, second)
	k.say("0x1", drained(true))
	must(t, k.configure(configured("10.0.100.2", "10.0.100.1"), k.now))
	k.wants("added", "1@"+first+" away drained", "2@"+second+" active")
	done := k.say("0x1", drained(false))
	if len(done.Elements) != 2 || done.Elements[0].Service == done.Elements[1].Service {
		t.Errorf("%+v, want the element in both services", done)
	}
}

// By priority the next ones take over from those that are drained.
func TestDrainedByPriority(t *testing.T) {
	k := newKernel(t)
	for pe, priority := range map[wire.PEID]uint32{1: 7, 2: 3} {
		a := addr(fmt.Sprintf("10.0.11.%d:80", pe))
		id := handlespace.Identify(peer{uint64(pe), fmt.Sprintf("pe-%d", pe)}, handlespace.Proven)
		_, _, err := k.space.Register(1, id, testPool, wire.PoolElement{ID: pe, Life: -1, Policy: wire.Priority(priority),
			User: wire.Transport{Protocol: wire.ProtocolTCP, Port: a.Port(), Addrs: []netip.Addr{a.Addr()}}})
		must(t, err)
	}
	k.follow(nil)
	shares := func() (all [2]float64) {
		for i, e := range k.status()[0].Elements {
			all[i] = e.Share
		}
		return all
	}
	if got := shares(); got != [2]float64{1, 0} {
		t.Fatalf("shares %v, want all for the first", got)
	}
	k.say("pe-1", drained(true))
	if got := shares(); got != [2]float64{0, 1} {
		t.Errorf("shares %v, want all for the second while the first is drained", got)
	}
	k.follow(nil) // any change of the pool
	k.say("pe-1", drained(false))
	if got := shares(); got != [2]float64{1, 0} {
		t.Errorf("shares %v, want all for the first again", got)
	}
}

func TestOrderedWeight(t *testing.T) {
	k := newKernel(t)
	k.register(1, first)
	k.register(2, second)
	k.say("pe-1", weighed(3))
	k.wants("ordered", "1@"+first+" active weight 3", "2@"+second+" active")
	if got := k.status()[0].Elements[0]; got.Share != 0.75 || got.Weight != 3 || !got.Weighed {
		t.Errorf("%+v, want three quarters", got)
	}
	k.world.register("pe-1", 1, first, 9)
	k.follow(nil)
	k.wants("registered again", "1@"+first+" active weight 3", "2@"+second+" active")
	must(t, k.configure(configured("10.0.100.1"), k.now))
	k.wants("after a reload", "1@"+first+" active weight 3", "2@"+second+" active")
	k.say("pe-1", byPolicy)
	if got := k.status()[0].Elements[0]; got.Weight != 9 || got.Weighed {
		t.Errorf("%+v, want the policy's weight", got)
	}
}

func TestOrdersThatNobodyCanFollow(t *testing.T) {
	k := newKernel(t)
	k.register(1, first)
	k.register(2, second)
	for _, tc := range []struct{ pool, element, want string }{
		{"wob", "0x1", `no service has a pool "wob": there are web`},
		{"web", "0x3", `pool web has no element "0x3": it has 0x00000001 (pe-1), 0x00000002 (pe-2)`},
		{"web", "", `pool web has no element "": it has 0x00000001 (pe-1), 0x00000002 (pe-2)`},
	} {
		if _, err := k.command(Target{tc.pool, tc.element}, drained(true)); err == nil || err.Error() != tc.want {
			t.Errorf("%s %s: %v, want %s", tc.pool, tc.element, err, tc.want)
		}
	}
	k.wants("nothing changed", "1@"+first+" active", "2@"+second+" active")
	var many []string
	for i := range mostNames + 5 {
		many = append(many, fmt.Sprintf("%02d", i), fmt.Sprintf("%02d", i))
	}
	if got := list(many); !strings.HasSuffix(got, ", 15 and 5 more") {
		t.Errorf("a list of many names: %s", got)
	}
}

// What is drained is not active, though its state says so.
func TestStatusOfDrained(t *testing.T) {
	k := newKernel(t)
	k.register(1, first)
	k.say("pe-1", drained(true))
	var b strings.Builder
	must(t, Status{Services: k.status()}.WriteTable(&b, time.Time{}))
	for _, want := range []string{"NO ACTIVE ELEMENT: new flows are refused", "0.0%  DRAINED "} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}
