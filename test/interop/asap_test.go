// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"fmt"
	"slices"
	"testing"
)

func TestElementAndUserOfWeirAtRegistrarOfRSPLib(t *testing.T) {
	n := newNetwork(t)
	r := n.theirs("registrar", 1)
	registrar := r.rspregistrar(0x11111111)
	element := n.ours("element", 11).weirElement(0xaaaa, r)
	registrar.await("Successfully registered EchoPool/$0000aaaa")
	if got, want := n.ours("user", 21).weirUser(r), []string{"0x0000aaaa"}; !slices.Equal(got, want) {
		t.Errorf("weir resolve has %v, want %v", got, want)
	}
	element.interrupt()
	registrar.await("Deregistration successfully completed")
}

// rsplib's registrar lists three elements to who does not ask for more.
func TestUserOfWeirSeesAllAtRegistrarOfRSPLib(t *testing.T) {
	n := newNetwork(t)
	r := n.theirs("registrar", 1)
	r.rspregistrar(0x11111111)
	var want []string
	for i := range 5 {
		id := 0xa1 + uint32(i)
		n.ours(fmt.Sprintf("element-%d", i), byte(11+i)).weirElement(id, r)
		want = append(want, fmt.Sprintf("0x%08x", id))
	}
	if got := n.ours("user", 21).weirUser(r); !slices.Equal(got, want) {
		t.Errorf("weir resolve has %v, want %v", got, want)
	}
}

func TestElementsAndUserOfRSPLibAtRegistrarOfWeir(t *testing.T) {
	n := newNetwork(t)
	r := n.ours("registrar", 1)
	registrar := r.weirRegistrar(0x11111111)
	first := n.theirs("first", 11).rspserver(0xaaaa, "RoundRobin", r)
	second := n.theirs("second", 12).rspserver(0xbbbb, "RoundRobin", r)
	registrar.awaitElements("0x0000aaaa=0x11111111", "0x0000bbbb=0x11111111")

	user := n.theirs("user", 21).rspterminal(r)
	user.echo("hello")
	first.interrupt()
	registrar.awaitElements("0x0000bbbb=0x11111111")
	user.echoFrom("0000bbbb", "again")
	second.kill()
	registrar.awaitElements()
}

// policies are those of RFC 5356, as one asks rsplib's and Weir's elements for them.
var policies = []struct {
	rsplib string
	weir   []string
}{
	{"RoundRobin", []string{"--policy=rr"}},
	{"WeightedRoundRobin:7", []string{"--policy=wrr", "--weight=7"}},
	{"Random", []string{"--policy=rand"}},
	{"WeightedRandom:9", []string{"--policy=wrand", "--weight=9"}},
	{"Priority:3", []string{"--policy=prio", "--priority=3"}},
	{"LeastUsed", []string{"--policy=lu"}},
	{"LeastUsedDegradation:0.25", []string{"--policy=lud"}},
	{"PriorityLeastUsed:0.5", []string{"--policy=plu"}},
	{"RandomizedLeastUsed", []string{"--policy=rlu"}},
}

func TestPoliciesOfRSPLibAtRegistrarOfWeir(t *testing.T) {
	n := newNetwork(t)
	r, u := n.ours("registrar", 1), n.ours("user", 21)
	registrar := r.weirRegistrar(0x11111111)
	for i, policy := range policies {
		e := n.theirs(fmt.Sprintf("element-%d", i), byte(31+i)).rspserver(0xaaaa, policy.rsplib, r)
		registrar.awaitElements("0x0000aaaa=0x11111111")
		if got := u.weirUser(r); !slices.Equal(got, []string{"0x0000aaaa"}) {
			t.Errorf("%s: weir resolve has %v", policy.rsplib, got)
		}
		e.interrupt()
		registrar.awaitElements()
	}
}

func TestPoliciesOfWeirAtRegistrarOfRSPLib(t *testing.T) {
	n := newNetwork(t)
	r, u := n.theirs("registrar", 1), n.ours("user", 21)
	registrar := r.rspregistrar(0x11111111)
	for i, policy := range policies {
		e := n.ours(fmt.Sprintf("element-%d", i), byte(31+i)).weirElement(0xaaaa, r, policy.weir...)
		if got := u.weirUser(r); !slices.Equal(got, []string{"0x0000aaaa"}) {
			t.Errorf("%s: weir resolve has %v", policy.weir, got)
		}
		e.interrupt()
		registrar.await("Deregistration successfully completed")
	}
}
