// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/packet"
)

// farFrom is the client's port at another of its addresses, one that would choose another element than the client does.
func (f *fixture) farFrom(client, vip string, choose func(from string) string) (other, element string) {
	f.Helper()
	mine := choose(client)
	p := addrPort(client)
	for addr := p.Addr().Next(); ; addr = addr.Next() {
		f.forget()
		other = netip.AddrPortFrom(addr, p.Port()).String()
		if choose(other) != mine {
			f.forget()
			return other, mine
		}
	}
}

// initTo is the element that a client's INIT goes to under NAT.
func (f *fixture) initTo(from, vip string) string {
	f.Helper()
	out, err := packet.Decode(f.run("cl", fromClient(initOf(from, vip)).Frame()).out)
	must(f, err)
	return out.Dst.String()
}

// addressParameters are those of an INIT that list these addresses.
func addressParameters(list ...string) (b []byte) {
	for _, s := range list {
		a := addrPort(s).Addr()
		kind := byte(5)
		if a.Is6() {
			kind = 6
		}
		b = append(b, 0, kind, 0, byte(4+a.BitLen()/8))
		b = append(b, a.AsSlice()...)
	}
	return b
}

// twoElements serve the family's SCTP, at the service's port.
func (f *fixture) twoElements(n family) (other, element string) {
	f.Helper()
	f.pool(n.sctp, withPort(n.element1, 53), withPort(n.element2, 53))
	return f.farFrom(n.client, n.vipDNS, func(from string) string { return f.initTo(from, n.vipDNS) })
}

// Another address of the client's is the same association, by the tag that its packets carry.
func TestAssociationFromAnotherAddress(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		other, element := f.twoElements(n)
		data := func(from string, tag uint32) packet.Packet { return chunks(from, n.vipDNS, tag, packet.ChunkHeartbeat) }
		f.associate(n.client, n.vipDNS, element)
		f.goes("HEARTBEAT from another address", data(other, serverTag), element)
		f.returns("and its answer", chunks(element, other, clientTag, packet.ChunkHeartbeatAck), n.vipDNS)
		f.goes("and again", data(other, serverTag), element)
		f.forget()
		f.goes("nothing is known after a loss of the tables", data(other, serverTag), f.elsewhere(n, element))
		f.forget()
		f.associate(n.client, n.vipDNS, element)
		f.goes("another tag", data(other, serverTag+1), f.elsewhere(n, element))
		f.forget()
		f.associate(n.client, n.vipDNS, element)
		f.goes("another port", data(withPort(other, 9), serverTag), f.initFrom(withPort(other, 9), n))
	})
}

func (f *fixture) elsewhere(n family, element string) string {
	if element == withPort(n.element1, 53) {
		return withPort(n.element2, 53)
	}
	return withPort(n.element1, 53)
}

// initFrom leaves the tables as they were.
func (f *fixture) initFrom(from string, n family) string {
	f.Helper()
	before := f.snapshot()
	defer f.restore(before)
	return f.initTo(from, n.vipDNS)
}

// The element reaches an address of its client's that has not been seen yet.
func TestAssociationToAnotherAddress(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		other, element := f.twoElements(n)
		beat := func(tag uint32) packet.Packet { return chunks(element, other, tag, packet.ChunkHeartbeat) }
		f.goes("INIT", initOf(n.client, n.vipDNS), element)
		f.returns("INIT ACK", initAckOf(element, n.client), n.vipDNS)
		f.check(spec{"HEARTBEAT before the cookie", "be", fromElement(beat(clientTag)).Frame(), "not_ours", pass, nil})
		f.forget()
		f.associate(n.client, n.vipDNS, element)
		f.check(spec{"HEARTBEAT of no association", "be", fromElement(beat(clientTag + 1)).Frame(), "not_ours", pass, nil})
		abort := chunks(element, other, clientTag, packet.ChunkAbort)
		f.check(spec{"ABORT to an address of no flow", "be", fromElement(abort).Frame(), "not_ours", pass, nil})
		f.returns("HEARTBEAT", beat(clientTag), n.vipDNS)
		f.goes("its answer", chunks(other, n.vipDNS, serverTag, packet.ChunkHeartbeatAck), element)
	})
}

// An INIT that is sent again from another address goes where the first went, if it lists it.
func TestInitFromAnotherAddress(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		other, element := f.twoElements(n)
		elsewhere := f.elsewhere(n, element)
		from := func(i int) string { return netip.AddrPortFrom(addrPort("10.99.0.1:1").Addr(), uint16(i)).String() }
		if addrPort(n.client).Addr().Is6() {
			from = func(i int) string { return fmt.Sprintf("[fd64:9::%d]:1", i+1) }
		}
		unknown := []byte{0x80, 8, 0, 5, 1, 0, 0, 0} // supported extensions: 5 bytes, padded
		for _, row := range []struct {
			name       string
			parameters []byte
			want       string
		}{
			{"none", nil, elsewhere},
			{"the other", addressParameters(n.client), element},
			{"itself and the other", addressParameters(other, n.client), element},
			{"behind other parameters", append(unknown, addressParameters(other, n.client)...), element},
			{"the fourth", addressParameters(from(1), from(2), from(3), n.client), element},
			{"the fifth is not looked at", addressParameters(from(1), from(2), from(3), from(4), n.client), elsewhere},
			{"a parameter without length", append([]byte{0, 9, 0, 0}, addressParameters(n.client)...), elsewhere},
			{"of another family", addressParameters(map[bool]string{true: client, false: client6}[addrPort(n.client).Addr().Is6()]), elsewhere},
		} {
			f.forget()
			f.goes("INIT", initOf(n.client, n.vipDNS, addressParameters(n.client, other)...), element)
			f.goes(row.name, initOf(other, n.vipDNS, row.parameters...), row.want)
		}
	})
}

// Where only the client is seen, its first packet after the INIT has the tag.
func TestAssociationsUnderDSR(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		other, element := f.twoElements(n)
		f.direct(n.sctp)
		f.remains("INIT", initOf(n.client, n.vipDNS), element)
		f.remains("COOKIE ECHO", chunks(n.client, n.vipDNS, serverTag, packet.ChunkCookieEcho), element)
		f.remains("HEARTBEAT from another address", chunks(other, n.vipDNS, serverTag, packet.ChunkHeartbeat), element)
		f.check(spec{"from the element's own address", "be", fromElement(chunks(element, other, clientTag, packet.ChunkData)).Frame(), "not_ours", pass, nil})
	})
}

// An association whose element takes no new ones keeps it; one whose element is lost has none.
func TestAssociationOfADrainingElement(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		other, element := f.twoElements(n)
		for state, want := range map[maps.State]string{maps.Draining: element, maps.Away: element, maps.Lost: f.elsewhere(n, element)} {
			f.forget()
			f.pool(n.sctp, withPort(n.element1, 53), withPort(n.element2, 53))
			f.associate(n.client, n.vipDNS, element)
			f.mark(n.sctp, element, &state)
			f.goes(state.String(), chunks(other, n.vipDNS, serverTag, packet.ChunkData), want)
		}
	})
}

// However many there are, the table stays as large as it is, and keeps what was used last.
func TestManyAssociations(t *testing.T) {
	f := newFixtureOf(t, 4000)
	f.pool(sctp(), "10.0.20.1:53", "10.0.20.2:53")
	other, element := f.farFrom(client, vipDNS, func(from string) string { return f.initTo(from, vipDNS) })
	for i := range 2000 {
		from := fmt.Sprintf("10.65.%d.%d:7", i>>8, i&255)
		for _, p := range []packet.Packet{initOf(from, vipDNS), chunks(from, vipDNS, uint32(i), packet.ChunkData)} {
			f.run("cl", fromClient(p).Frame())
		}
	}
	f.associate(client, vipDNS, element)
	f.goes("from another address", chunks(other, vipDNS, serverTag, packet.ChunkData), element)
}
