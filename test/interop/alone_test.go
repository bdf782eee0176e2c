// SPDX-License-Identifier: Apache-2.0

package interop

import "testing"

// What the other tests build on: without Weir, rsplib works in this machine.
func TestRSPLibTalksToItself(t *testing.T) {
	n := newNetwork(t)
	r := n.theirs("registrar", 1)
	registrar := r.rspregistrar(0x11111111)
	element := n.theirs("element", 11).rspserver(0xaaaa, "RoundRobin", r)
	n.theirs("user", 21).rspterminal(r).echoFrom("0000aaaa", "hello")
	element.interrupt()
	registrar.await("Deregistration successfully completed")
}
