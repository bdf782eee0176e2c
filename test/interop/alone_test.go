// SPDX-License-Identifier: Apache-2.0

package interop

import "testing"

// What the other tests build on: without Weir, rsplib works in this machine.
func TestRSPLibTalksToItself(t *testing.T) {
	n := newNetwork(t)
	r, e, u := n.theirs("registrar", 1), n.theirs("element", 11), n.theirs("user", 21)
	registrar := r.rspregistrar(0x11111111)
	element := e.rspserver(0xaaaa, "RoundRobin", r)
	user, line := u.rspterminal(r)
	_, err := line.WriteString("hello\n")
	n.must(err)
	user.await("from PE $0000aaaa> hello")
	element.interrupt()
	registrar.await("Deregistration successfully completed")
}
