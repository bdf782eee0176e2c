// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/packet"
)

// A packet leaves without the tags that it came with: where it goes to is another link.
func untagged(p packet.Packet) packet.Packet {
	p.Tags = nil
	return p
}

// vlans are the tags that a packet may come with.
func vlans() map[string][]uint16 {
	return map[string][]uint16{"one tag": {100}, "two tags": {7, 100}, "a priority tag": {0}, "tags of VLAN 0": {0, 0}}
}

func TestVLANs(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		f.serve(n)
		var specs []spec
		for name, ids := range vlans() {
			segment := fromClient(tcp(n.client, n.vip, syn, "")).Tagged(ids...)
			datagram := fromClient(packet.NewUDP(n.client, n.vipDNS, []byte("query"))).Tagged(ids...)
			other := fromClient(tcp(n.client, n.host, syn, "")).Tagged(ids...)
			last := with(segment, func(p *packet.Packet) { p.TTL = 1 })
			priority := with(segment, func(p *packet.Packet) { p.Tags[0].TCI |= 5<<13 | 1<<12 })
			specs = append(specs,
				spec{"TCP behind " + name, "cl", segment.Frame(), "steer_forward", redirect, untagged(toElement(segment, n.element1)).Frame()},
				spec{"UDP behind " + name, "cl", datagram.Frame(), "steer_forward", redirect, untagged(toElement(datagram, n.resolver)).Frame()},
				spec{"priority and drop eligible, " + name, "cl", priority.Frame(), "steer_forward", redirect, untagged(toElement(segment, n.element1)).Frame()},
				spec{"of another host, " + name, "cl", other.Frame(), "not_ours", pass, nil},
				spec{"at the end of its life, " + name, "cl", last.Frame(), "steer_ttl", pass, nil},
				spec{"a stranger's SYN, " + name, "cl", fromClient(tcp(n.client, n.registrar, syn, "")).Tagged(ids...).Frame(), "guard_newcomer", pass, nil},
				spec{"a stranger's segment, " + name, "cl", fromClient(tcp(n.client, n.registrar, ack, "")).Tagged(ids...).Frame(), "guard_unknown_flow", drop, nil})
		}
		arp := edit(fromClient(tcp(n.client, n.vip, syn, "")).Tagged(100).Frame(), atEtherType+4, 8, 6)
		length := edit(arp, atEtherType+4, 0, 46)
		wrong := edit(fromClient(tcp(n.client, n.vip, syn, "")).Tagged(100).Frame(), atEtherType+4, 0x86, 0xdd)
		if n.name == "IPv6" {
			wrong = edit(wrong, atEtherType+4, 8, 0)
		}
		f.checkAll(t, append(specs,
			spec{"ARP in a VLAN", "cl", arp, "not_ours", pass, nil},
			spec{"a length instead of a type in a VLAN", "cl", length, "not_ours", pass, nil},
			spec{"another family in a VLAN", "cl", wrong, "malformed", pass, nil}))
	})
}

func TestVLANsOnTheWayBack(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		f.serve(n)
		f.goes("SYN", tcp(n.client, n.vip, syn, ""), n.element1)
		for name, ids := range vlans() {
			p := fromElement(tcp(n.element1, n.client, ack, "data")).Tagged(ids...)
			f.check(spec{name, "be", p.Frame(), "steer_return", redirect, untagged(toClient(p, n.vip)).Frame()})
		}
	})
}

// An answer goes back where the packet came from: with its tags.
func TestVLANsOfAnswers(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		for name, ids := range vlans() {
			p := fromClient(tcp(n.client, n.vip, syn, "")).Tagged(ids...)
			out := answer(p, rst|ack, 0, p.Seq+1)
			out.Tags = p.Tags
			f.check(spec{"refused, " + name, "cl", p.Frame(), "steer_refused", tx, out.Frame()})
		}
	})
}

// What the stack is to forward keeps its tags: they say to the stack where it came in.
func TestVLANsOfWhatTheStackForwards(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		f.pool(n.web, n.silent)
		for name, ids := range vlans() {
			p := fromClient(tcp(n.client, n.vip, syn, "")).Tagged(ids...)
			out := with(p, func(p *packet.Packet) { p.Dst = addrPort(n.silent) })
			f.check(spec{"no neighbour, " + name, "cl", p.Frame(), "steer_neighbor", pass, out.Frame()})
		}
	})
}

func TestVLANsOfDSR(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		f.serve(n)
		must(t, f.steering.Configure(n.web, maps.Options{Mode: maps.DSR}))
		for name, ids := range vlans() {
			p := fromClient(tcp(n.client, n.vip, syn, "")).Tagged(ids...)
			f.check(spec{name, "cl", p.Frame(), "steer_forward", redirect, untagged(unchanged(p, n.element1)).Frame()})
		}
	})
}

func TestVLANsOfAdmitted(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		must(t, f.guard.Admit(addrPort(n.registrar), []netip.AddrPort{addrPort(n.client)}, time.Now().Add(time.Hour)))
		for name, ids := range vlans() {
			f.passes(name, tcp(n.client, n.registrar, ack, "data").Tagged(ids...), "guard_admitted")
		}
	})
}
