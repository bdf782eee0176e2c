// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"testing"

	"github.com/gopacket/gopacket/layers"

	"github.com/weir-lb/weir/test/packet"
)

func TestForward(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	f.pool(dns(), "10.0.20.3:5353")
	syn := fromClient(tcp(client, vip, packet.SYN, ""))
	data := fromClient(tcp(client, vip, packet.ACK|packet.PSH, "GET / HTTP/1.1"))
	query := fromClient(packet.NewUDP(client, vipDNS, []byte("query")))
	with := func(p packet.Packet, change func(*packet.Packet)) packet.Packet { change(&p); return p }
	options := withOptions(data)
	mss := with(syn, func(p *packet.Packet) {
		p.TCPOptions = []layers.TCPOption{{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{5, 0xb4}}}
	})
	lastHop := with(data, func(p *packet.Packet) { p.TTL = 2 })
	noUDP := with(query, func(p *packet.Packet) { p.NoUDPChecksum = true })
	padded := append(syn.Frame(), make([]byte, 6)...)
	toPadded := append(toElement(syn, element1).Frame(), make([]byte, 6)...)
	f.checkAll(t, []spec{
		{"a SYN goes to the element", "cl", syn.Frame(), "steer_forward", redirect, toElement(syn, element1).Frame()},
		{"a SYN with options", "cl", mss.Frame(), "steer_forward", redirect, toElement(mss, element1).Frame()},
		{"a segment in the middle of a connection", "cl", data.Frame(), "steer_forward", redirect, toElement(data, element1).Frame()},
		{"IP options are kept", "cl", options.Frame(), "steer_forward", redirect, toElement(options, element1).Frame()},
		{"a datagram, to another port", "cl", query.Frame(), "steer_forward", redirect, toElement(query, "10.0.20.3:5353").Frame()},
		{"a datagram without checksum keeps none", "cl", noUDP.Frame(), "steer_forward", redirect, toElement(noUDP, "10.0.20.3:5353").Frame()},
		{"the last hop but one", "cl", lastHop.Frame(), "steer_forward", redirect, toElement(lastHop, element1).Frame()},
		{"Ethernet's padding is kept", "cl", padded, "steer_forward", redirect, toPadded},
	})
}

// Checksums are changed by difference, so that a damaged packet does not become a good one.
func TestBadChecksumStaysBad(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	f.pool(dns(), "10.0.20.3:5353")
	data := fromClient(tcp(client, vip, packet.ACK, "data"))
	query := fromClient(packet.NewUDP(client, vipDNS, []byte("query")))
	for name, p := range map[string]packet.Packet{"TCP": data, "UDP": query} {
		for _, damage := range []func(*packet.Packet){
			func(p *packet.Packet) { p.BadIPChecksum = true },
			func(p *packet.Packet) { p.BadChecksum = true },
		} {
			bad := p
			damage(&bad)
			got := f.run("cl", bad.Frame())
			out, err := packet.Decode(got.out)
			if got.verdict != "steer_forward" || err != nil || out.BadIPChecksum != bad.BadIPChecksum || out.BadChecksum != bad.BadChecksum {
				t.Errorf("%s: %s, %+v, %v; sent %+v", name, got.verdict, out, err, bad)
			}
		}
	}
}

func TestReturn(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	f.pool(dns(), "10.0.20.3:5353")
	f.check(spec{"open", "cl", fromClient(tcp(client, vip, packet.SYN, "")).Frame(), "steer_forward", redirect,
		toElement(fromClient(tcp(client, vip, packet.SYN, "")), element1).Frame()})
	query := fromClient(packet.NewUDP(client, vipDNS, []byte("query")))
	f.check(spec{"ask", "cl", query.Frame(), "steer_forward", redirect, toElement(query, "10.0.20.3:5353").Frame()})

	synAck := fromElement(tcp(element1, client, packet.SYN|packet.ACK, ""))
	data := fromElement(tcp(element1, client, packet.ACK|packet.PSH, "HTTP/1.1 200 OK"))
	reply := fromElement(packet.NewUDP("10.0.20.3:5353", client, []byte("answer")))
	silent := reply
	silent.NoUDPChecksum = true
	otherPort := fromElement(tcp("10.0.20.1:8081", client, packet.ACK, ""))
	otherClient := fromElement(tcp(element1, "10.64.0.1:40001", packet.ACK, ""))
	last := data
	last.TTL = 1
	for _, row := range []spec{
		{"the element's SYN-ACK", "be", synAck.Frame(), "steer_return", redirect, toClient(synAck, vip).Frame()},
		{"the element's data", "be", data.Frame(), "steer_return", redirect, toClient(data, vip).Frame()},
		{"a datagram", "be", reply.Frame(), "steer_return", redirect, toClient(reply, vipDNS).Frame()},
		{"a datagram without checksum", "be", silent.Frame(), "steer_return", redirect, toClient(silent, vipDNS).Frame()},
		{"from another port of the element", "be", otherPort.Frame(), "not_ours", pass, nil},
		{"to another client", "be", otherClient.Frame(), "not_ours", pass, nil},
		{"at the end of its life", "be", last.Frame(), "steer_ttl", pass, nil},
	} {
		f.check(row)
	}
}

// Over all values of a payload word the checksum takes every value, with the two forms of zero.
// RFC 768: a computed checksum of zero is sent as 0xffff, because zero says that there is none.
func TestEveryChecksumIsRight(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	f.pool(dns(), "10.0.20.3:5353")
	seen := map[uint16]bool{}
	for i := 0; i < 1<<16; i += 131 {
		f.oneChecksum(uint16(i))
	}
	// Around the values where UDP's checksum, before or after, is 0xffff.
	for i := range 1 << 16 {
		p := fromClient(packet.NewUDP(client, vipDNS, []byte{byte(i >> 8), byte(i)}))
		in, out := p.Frame(), toElement(p, "10.0.20.3:5353").Frame()
		for _, frame := range [][]byte{in, out} {
			if check := uint16(frame[40])<<8 | uint16(frame[41]); check >= 0xfffe || check <= 1 {
				seen[check] = true
				f.oneChecksum(uint16(i))
			}
		}
	}
	if !seen[0xffff] || !seen[1] || seen[0] {
		t.Errorf("the packets had checksums %v, want 0xffff and 1 among them and no 0", seen)
	}
}

func (f *fixture) oneChecksum(word uint16) {
	f.Helper()
	payload := []byte{byte(word >> 8), byte(word)}
	datagram := fromClient(packet.NewUDP(client, vipDNS, payload))
	f.check(spec{"datagram", "cl", datagram.Frame(), "steer_forward", redirect, toElement(datagram, "10.0.20.3:5353").Frame()})
	segment := fromClient(tcp(client, vip, packet.ACK, string(payload)))
	f.check(spec{"segment", "cl", segment.Frame(), "steer_forward", redirect, toElement(segment, element1).Frame()})
}

func TestRoute(t *testing.T) {
	f := newFixture(t)
	syn := fromClient(tcp(client, vip, packet.SYN, ""))
	last := syn
	last.TTL = 1
	zero := syn
	zero.TTL = 0
	rewritten := func(p packet.Packet, element string) []byte { p.Dst = addrPort(element); return p.Frame() }
	for _, tt := range []struct {
		element string
		spec
	}{
		{element1, spec{"TTL 1: the stack answers time exceeded", "cl", last.Frame(), "steer_ttl", pass, nil}},
		{element1, spec{"TTL 0", "cl", zero.Frame(), "steer_ttl", pass, nil}},
		{"10.200.0.1:80", spec{"no route", "cl", syn.Frame(), "steer_no_route", drop, nil}},
		{"10.0.20.99:80", spec{"no neighbour: the stack resolves it and forwards", "cl", syn.Frame(), "steer_neighbor", pass,
			rewritten(syn, "10.0.20.99:80")}},
		{"10.0.30.1:80", spec{"behind an interface that is not ours: the stack forwards", "cl", syn.Frame(), "steer_neighbor", pass,
			rewritten(syn, "10.0.30.1:80")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sub := *f
			sub.TB = t
			sub.forget()
			sub.pool(web(), tt.element)
			sub.check(tt.spec)
		})
	}
}

// The way back takes the same care: a client without a resolved next hop, or without a route.
func TestReturnRoute(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	for _, tt := range []struct {
		client  string
		verdict string
		action  action
		changed bool
	}{
		{"10.0.9.77:40000", "steer_neighbor", pass, true},
		{"10.200.0.1:40000", "steer_no_route", drop, false},
		{"10.0.30.1:40000", "steer_neighbor", pass, true},
	} {
		f.run("cl", fromClient(tcp(tt.client, vip, packet.SYN, "")).Frame())
		back := fromElement(tcp(element1, tt.client, packet.SYN|packet.ACK, ""))
		out := back
		if tt.changed {
			out.Src = addrPort(vip)
		}
		f.check(spec{"to " + tt.client, "be", back.Frame(), tt.verdict, tt.action, out.Frame()})
	}
}
