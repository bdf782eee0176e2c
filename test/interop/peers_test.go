// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"slices"
	"testing"
)

// What one registrar knows the other learns: from the handle table if it comes later, from updates afterwards. An element
// registered with one implementation is resolved at the other.
func TestWeirJoinsRSPLib(t *testing.T) {
	n := newNetwork(t)
	theirs, ours := n.theirs("theirs", 1), n.ours("ours", 1)
	rsplib := theirs.rspregistrar(0x11111111)
	early := n.theirs("early", 11).rspserver(0xaaaa, "RoundRobin", theirs)
	weir := ours.weirRegistrar(0x22222222, theirs)
	weir.awaitElements("0x0000aaaa=0x11111111") // by table
	n.theirs("late", 12).rspserver(0xbbbb, "RoundRobin", theirs)
	weir.awaitElements("0x0000aaaa=0x11111111", "0x0000bbbb=0x11111111") // by update
	early.interrupt()
	weir.awaitElements("0x0000bbbb=0x11111111")
	n.theirs("user", 21).rspterminal(ours).echoFrom("0000bbbb", "hello")

	own := n.ours("own", 11).weirElement(0xcccc, ours)
	rsplib.await("Successfully registered EchoPool/$0000cccc")
	u := n.ours("user-of-weir", 21)
	if got := u.weirUser(theirs); !slices.Equal(got, []string{"0x0000bbbb", "0x0000cccc"}) {
		t.Errorf("weir resolve has %v at rsplib's registrar", got)
	}
	own.interrupt()
	rsplib.await("Successfully deregistered EchoPool/$0000cccc")
	if got := u.weirUser(theirs); !slices.Equal(got, []string{"0x0000bbbb"}) {
		t.Errorf("weir resolve has %v at rsplib's registrar after the deregistration", got)
	}
}

func TestRSPLibJoinsWeir(t *testing.T) {
	n := newNetwork(t)
	theirs, ours := n.theirs("theirs", 1), n.ours("ours", 1)
	weir := ours.weirRegistrar(0x22222222)
	n.ours("early", 11).weirElement(0xcccc, ours)
	weir.awaitElements("0x0000cccc=0x22222222")
	rsplib := theirs.rspregistrar(0x11111111, ours)
	if got := n.ours("user", 21).weirUser(theirs); !slices.Equal(got, []string{"0x0000cccc"}) { // by table
		t.Errorf("weir resolve has %v at rsplib's registrar", got)
	}
	n.theirs("late", 12).rspserver(0xdddd, "RoundRobin", ours)
	rsplib.await("Successfully registered EchoPool/$0000dddd") // by update
	n.theirs("element", 13).rspserver(0xaaaa, "RoundRobin", theirs)
	weir.awaitElements("0x0000cccc=0x22222222", "0x0000dddd=0x22222222", "0x0000aaaa=0x11111111")
}
