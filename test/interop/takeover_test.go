// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"slices"
	"testing"
)

// Elements that know no registrar but their home survive it: who takes over looks for them. With two registrars there is
// nobody to ask; rsplib's own takeover does not complete then, Weir's does.
func TestWeirTakesOverFromRSPLib(t *testing.T) {
	n := newNetwork(t)
	theirs, ours := n.theirs("theirs", 1), n.ours("ours", 1)
	rsplib := theirs.rspregistrar(0x11111111)
	weir := ours.weirRegistrar(0x22222222, theirs)
	n.theirs("element", 11).rspserver(0xaaaa, "RoundRobin", theirs)
	n.ours("element-of-weir", 11).weirElement(0xcccc, theirs)
	weir.awaitElements("0x0000aaaa=0x11111111", "0x0000cccc=0x11111111")
	rsplib.kill()
	weir.awaitElements("0x0000aaaa=0x22222222", "0x0000cccc=0x22222222")
	weir.awaitRegistered("0x0000aaaa", "0x0000cccc")
}

// It takes three: rsplib's registrars ask each other.
func TestRSPLibTakesOverFromWeir(t *testing.T) {
	n := newNetwork(t)
	first, second, ours := n.theirs("first", 1), n.theirs("second", 2), n.ours("ours", 1)
	a := first.rspregistrar(0x11111111)
	weir := ours.weirRegistrar(0x33333333, first)
	b := second.rspregistrar(0x22222222, first, ours)
	n.theirs("element", 11).rspserver(0xaaaa, "RoundRobin", ours)
	own := n.ours("element-of-weir", 11).weirElement(0xcccc, ours)
	for _, r := range []*program{a, b} {
		r.await("Successfully registered EchoPool/$0000cccc")
	}
	weir.kill()
	own.await("adopted home registrar")
	own.await("msg=registered")
	if got := n.ours("user", 21).weirUser(second); !slices.Equal(got, []string{"0x0000aaaa", "0x0000cccc"}) {
		t.Errorf("weir resolve has %v at the surviving registrar", got)
	}
}
