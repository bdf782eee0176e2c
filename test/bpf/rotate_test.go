// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"fmt"
	"math"
	"net/netip"
	"testing"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/packet"
)

// The keys before and after a rotation.
var oldKey, newKey = [2]uint64{11, 12}, [2]uint64{21, 22}

func (f *fixture) rotate() {
	f.Helper()
	f.change(func(p *bpf.WeirParameters) { p.SelectKey, p.SelectBefore = newKey, oldKey })
}

// clientOf is a client whose flow the two keys give to two elements, those.
func (f *fixture) clientOf(by, before string) string {
	f.Helper()
	table := f.selection(web())
	chosen := func(key [2]uint64, p packet.Packet) netip.AddrPort {
		return table[flowHash(key, p)&math.MaxUint32*maps.SelectionSlots>>32]
	}
	for port := 1024; ; port++ {
		from := fmt.Sprintf("10.64.0.1:%d", port)
		p := fromClient(tcp(from, vip, packet.SYN, ""))
		if chosen(newKey, p) == addrPort(by) && chosen(oldKey, p) == addrPort(before) {
			return from
		}
	}
}

func TestRotationKeepsFlows(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1, element2)
	f.change(func(p *bpf.WeirParameters) { p.SelectKey = oldKey })
	from := f.clientOf(element1, element2)
	f.goes("SYN, by the old key", tcp(from, vip, syn, ""), element2)
	f.rotate()
	f.goes("the SYN again", tcp(from, vip, syn, ""), element2)
	f.returns("SYN-ACK", tcp(element2, from, synAck, ""), vip)
	f.goes("data", tcp(from, vip, ack, "data"), element2)
	f.forget()
	f.goes("SYN of a new flow, by the new key", tcp(from, vip, syn, ""), element1)
}

// A segment of a flow that the table lost is tried at the element of the current key, and if that does not
// know it, at the one of the key before. The client hears nothing of it but that its segment was lost.
func TestLostFlowIsTriedByBothKeys(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1, element2)
	f.rotate()
	from := f.clientOf(element1, element2)
	data := tcp(from, vip, ack, "data")
	f.goes("data", data, element1)
	f.lostAgain("RST of who does not know it", tcp(element1, from, rst, ""))
	f.goes("data again", data, element2)
	f.returns("the answer", tcp(element2, from, ack, "data"), vip)
	f.goes("and on", data, element2)
	f.returns("RST of its own element", tcp(element2, from, rst, ""), vip)

	f.forget()
	f.goes("data", data, element1)
	f.returns("the element knows it", tcp(element1, from, ack, "data"), vip)
	f.returns("its later RST is meant", tcp(element1, from, rst, ""), vip)

	f.forget()
	f.goes("data", data, element1)
	f.lostAgain("RST of the first", tcp(element1, from, rst, ""))
	f.goes("data again", data, element2)
	f.returns("RST of the second", tcp(element2, from, rst, ""), vip)
}

// lostAgain is a RST of an element that the client does not get.
func (f *fixture) lostAgain(name string, p packet.Packet) {
	f.Helper()
	f.check(spec{name, "be", fromElement(p).Frame(), "steer_again", drop, nil})
}

func TestNoSecondTry(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1, element2)
	f.rotate()
	other, same := f.clientOf(element1, element2), f.clientOf(element1, element1)
	f.goes("SYN", tcp(other, vip, syn, ""), element1)
	f.returns("a new flow is refused", tcp(element1, other, rst|ack, ""), vip)
	f.goes("data, and both keys agree", tcp(same, vip, ack, "data"), element1)
	f.returns("RST", tcp(element1, same, rst, ""), vip)

	f.forget()
	f.goes("data", tcp(other, vip, ack, "data"), element1)
	f.setRow(addrPort(element2), maps.Draining)
	f.returns("RST, and the other element takes no new flows", tcp(element1, other, rst, ""), vip)

	f.setRow(addrPort(element2), maps.Active)
	f.forget()
	f.change(func(p *bpf.WeirParameters) { p.SelectBefore = [2]uint64{} })
	f.goes("data, before any rotation", tcp(other, vip, ack, "data"), element1)
	f.returns("RST", tcp(element1, other, rst, ""), vip)

	f.forget()
	f.rotate()
	f.pool(web2(), element2)
	f.goes("its flow to another service", tcp(other, vip2, syn, ""), element2)
	f.goes("data", tcp(other, vip, ack, "data"), element1)
	f.returns("RST, and its port is in use at the other element", tcp(element1, other, rst, ""), vip)
}
