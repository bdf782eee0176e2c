// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"slices"
	"testing"
)

// Three registrars of Weir and one of rsplib, each with an element of the other side, or of its own. First one of Weir's
// dies, then rsplib's; everybody's elements survive both, and those that are left agree.
func TestThreeOfWeirAndOneOfRSPLib(t *testing.T) {
	n := newNetwork(t)
	a, b, c, d := n.ours("a", 1), n.ours("b", 2), n.ours("c", 3), n.theirs("d", 1)
	ra := a.weirRegistrar(0x11111111)
	rd := d.rspregistrar(0x44444444, a)
	rb := b.weirRegistrar(0x22222222, a, d)
	rc := c.weirRegistrar(0x33333333, a, b, d)
	n.theirs("at-a", 11).rspserver(0xaaaa, "RoundRobin", a)
	rd.await("Successfully registered EchoPool/$0000aaaa")
	n.ours("at-b", 11).weirElement(0xbbbb, b)
	rd.await("Successfully registered EchoPool/$0000bbbb")
	n.theirs("at-d", 12).rspserver(0xdddd, "RoundRobin", d)
	n.ours("also-at-d", 12).weirElement(0xeeee, d)

	for _, r := range []*weirRegistrar{ra, rb, rc} {
		r.awaitElements("0x0000aaaa=0x11111111", "0x0000bbbb=0x22222222", "0x0000dddd=0x44444444", "0x0000eeee=0x44444444")
	}
	all := []string{"0x0000aaaa", "0x0000bbbb", "0x0000dddd", "0x0000eeee"}
	if got := n.ours("user", 21).weirUser(d); !slices.Equal(got, all) {
		t.Errorf("weir resolve has %v at rsplib's registrar, want %v", got, all)
	}
	ra.kill()
	for _, r := range []*weirRegistrar{rb, rc} {
		r.awaitWithout("0x11111111", all...)
	}
	rd.kill()
	for _, r := range []*weirRegistrar{rb, rc} {
		r.awaitWithout("0x44444444", all...)
	}
	rb.awaitAgreement(rc)
}
