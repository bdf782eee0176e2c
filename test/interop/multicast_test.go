// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"slices"
	"testing"
)

func TestElementOfRSPLibHearsRegistrarOfWeir(t *testing.T) {
	n := newSegment(t)
	registrar := n.ours("registrar", 1).weirRegistrar(0x11111111)
	element := n.theirs("element", 11).rspserver(0xaaaa, "RoundRobin")
	registrar.awaitElements("0x0000aaaa=0x11111111")
	element.interrupt()
	registrar.awaitElements()
}

func TestElementAndUserOfWeirHearRegistrarOfRSPLib(t *testing.T) {
	n := newSegment(t)
	registrar := n.theirs("registrar", 1).rspregistrar(0x11111111)
	element := n.ours("element", 11).weirElement(0xaaaa, nil)
	registrar.await("Successfully registered EchoPool/$0000aaaa")
	if got, want := n.ours("user", 21).weirUser(nil), []string{"0x0000aaaa"}; !slices.Equal(got, want) {
		t.Errorf("weir resolve has %v, want %v", got, want)
	}
	element.interrupt()
	registrar.await("Deregistration successfully completed")
}

// No registrar is told of the other one. The first one has an element when the second one comes, and reaches it as soon as
// that announces itself.
func TestRegistrarOfWeirHearsRSPLib(t *testing.T) {
	n := newSegment(t)
	theirs, ours := n.theirs("theirs", 1), n.ours("ours", 1)
	weir := ours.weirRegistrar(0x22222222)
	n.ours("early", 11).weirElement(0xaaaa, ours)
	rsplib := theirs.rspregistrar(0x11111111)
	rsplib.await("Successfully registered EchoPool/$0000aaaa")

	n.theirs("late", 11).rspserver(0xbbbb, "RoundRobin", theirs)
	n.theirs("later", 12).rspserver(0xcccc, "RoundRobin", ours)
	rsplib.await("Successfully registered EchoPool/$0000cccc")
	weir.awaitElements("0x0000aaaa=0x22222222", "0x0000bbbb=0x11111111", "0x0000cccc=0x22222222")
	n.sameAt(theirs, weir)
}

func TestRegistrarOfRSPLibHearsWeir(t *testing.T) {
	n := newSegment(t)
	theirs, ours := n.theirs("theirs", 1), n.ours("ours", 1)
	rsplib := theirs.rspregistrar(0x11111111)
	n.theirs("early", 11).rspserver(0xaaaa, "RoundRobin", theirs)
	weir := ours.weirRegistrar(0x22222222)
	weir.awaitElements("0x0000aaaa=0x11111111")

	n.ours("late", 11).weirElement(0xbbbb, ours)
	rsplib.await("Successfully registered EchoPool/$0000bbbb")
	n.theirs("later", 12).rspserver(0xcccc, "RoundRobin", theirs)
	weir.awaitElements("0x0000aaaa=0x11111111", "0x0000bbbb=0x22222222", "0x0000cccc=0x11111111")
	n.sameAt(theirs, weir)
}

// sameAt looks into rsplib's registrar by asking it, for what Weir's one has.
func (n *network) sameAt(theirs *host, weir *weirRegistrar) {
	n.t.Helper()
	var want []string
	for _, e := range weir.elements() {
		want = append(want, e.ID)
	}
	slices.Sort(want)
	if got := n.ours("user", 21).weirUser(theirs); !slices.Equal(got, want) {
		n.t.Errorf("weir resolve has %v at rsplib's registrar, not %v", got, want)
	}
}
