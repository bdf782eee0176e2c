// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/packet"
)

// unreachable is the error about a client's packet that nobody listens at its port (RFC 792, RFC 4443 3.1),
// with so much of the packet quoted.
func unreachable(about packet.Packet, quote int) packet.Packet {
	kind, code := uint8(3), uint8(3)
	if about.Is6() {
		kind, code = 1, 4
	}
	e := packet.NewICMP(about.Dst.Addr().String(), about.Src.Addr().String(), kind, code)
	e.SrcMAC, e.DstMAC, e.Tags = about.DstMAC, about.SrcMAC, about.Tags
	l3 := packet.OffsetIP + 4*len(about.Tags)
	e.Payload = about.Frame()[l3:][:quote]
	return e
}

// lose marks an element of a service as lost, which says what becomes of the flows that it had.
func (f *fixture) lose(s maps.Service, element string, on maps.OnLoss) {
	f.Helper()
	must(f, f.steering.Configure(s, maps.Options{OnLoss: on}))
	lost := maps.Lost
	f.mark(s, element, &lost)
}

// unreached checks that the client's datagram is answered by port unreachable.
func (f *fixture) unreached(what string, p packet.Packet, quote int) {
	f.Helper()
	p = fromClient(p)
	f.check(spec{what, "cl", p.Frame(), "steer_unreachable", tx, unreachable(p, quote).Frame()})
}

// Whoever sends datagrams to a lost element hears of it, as much as an error can quote, and what is sent
// all the same chooses anew.
func TestLostElementOfDatagrams(t *testing.T) {
	for _, on := range []maps.OnLoss{maps.ResetFlows, maps.DrainFlows} { // that which drains is not Lost yet
		t.Run(on.String(), func(t *testing.T) {
			inFamilies(t, func(f *fixture, n family) {
				query := packet.NewUDP(n.client, n.vipDNS, []byte("query"))
				f.pool(n.dns, n.element1)
				f.goes("first", query, n.element1)
				f.pool(n.dns, n.element1, n.element2)
				f.lose(n.dns, n.element1, on)
				f.unreached("told", query, bare(n))
				f.goes("chosen anew", query, n.element2)
				f.goes("and kept", query, n.element2)
				f.returns("and back", packet.NewUDP(n.element2, n.client, []byte("answer")), n.vipDNS)
				f.lose(n.dns, n.element2, on)
				f.unreached("told again", query, bare(n))
				f.dropped("nobody is left", query, "steer_no_element")
			})
		})
	}
}

// bare is a quote without options: the IP header and 8 bytes (RFC 792).
func bare(n family) int { return n.headers - 20 + 8 }

func TestWhatUnreachableQuotes(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		short, most := 68, 548
		if n.name == "IPv6" {
			short, most = 128, 1232
		}
		udp := func(length int) packet.Packet { // of the IP packet
			return packet.NewUDP(n.client, n.vipDNS, bytes.Repeat([]byte("0123456789"), 150)[:length-bare(n)])
		}
		lite := udpLite(n.client, n.vipDNS, 8, "query")
		for _, row := range []struct {
			name  string
			in    packet.Packet
			quote int
		}{
			{"an empty datagram", udp(bare(n)), bare(n)},
			{"one byte less than the next size", udp(short - 1), bare(n)},
			{"just as much", udp(short), short},
			{"one byte less than the last size", udp(most - 1), short},
			{"just as much as can be", udp(most), most},
			{"as large as Ethernet takes", udp(1500), most},
			{"in a VLAN", udp(100).Tagged(7), max(bare(n), 100/short*short)},
			{"in two VLANs", udp(200).Tagged(7, 9), short},
			{"without a checksum", with(udp(60), func(p *packet.Packet) { p.NoUDPChecksum = true }), bare(n)},
			{"with a wrong one, as it came", with(udp(60), func(p *packet.Packet) { p.BadChecksum = true }), bare(n)},
			{"a first fragment", with(udp(200), func(p *packet.Packet) { p.DontFragment, p.MoreFragments = false, true }), short},
			{"UDP-Lite", lite, bare(n)},
		} {
			t.Run(row.name, func(t *testing.T) {
				sub := *f
				sub.TB = t
				sub.forget()
				for _, s := range []maps.Service{n.dns, n.lite} {
					sub.pool(s, n.element1)
				}
				sub.run("cl", fromClient(row.in).Frame())
				sub.lose(n.dns, n.element1, maps.ResetFlows)
				sub.lose(n.lite, n.element1, maps.ResetFlows)
				sub.unreached(row.name, row.in, row.quote)
			})
		}
	})
}

// An error quotes all network headers and 8 bytes more, or is not sent.
func TestUnreachableWithOptions(t *testing.T) {
	f := newFixture(t)
	query := func(length int) packet.Packet {
		return packet.NewUDP(client, vipDNS, make([]byte, length))
	}
	query6 := func(length int, list ...packet.Extension) packet.Packet {
		return withExtensions(packet.NewUDP(client6, vipDNS6, make([]byte, length)), list...)
	}
	long := packet.Extension{Type: packet.Destination, Data: padN(78)} // 80 bytes
	for _, row := range []struct {
		name  string
		in    packet.Packet
		quote int // 0: nobody is told
	}{
		{"options, and enough behind them", withOptions(query(40)), 68},
		{"options, and little behind them", withOptions(query(1)), 0},
		{"an extension header", query6(100, hopByHop()), 128},
		{"an extension header, and little behind it", query6(1, hopByHop()), 0},
		{"as many as are quoted", query6(0, long), 128},
		{"more than are quoted", query6(1400-200, long, hopByHop()), 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			sub := *f
			sub.TB = t
			sub.forget()
			s, element := dns(), element1
			if row.in.Is6() {
				s, element = dns6(), element6
			}
			sub.pool(s, element)
			sub.run("cl", fromClient(row.in).Frame())
			sub.lose(s, element, maps.ResetFlows)
			if row.quote > 0 {
				sub.unreached(row.name, row.in, row.quote)
			} else {
				sub.dropped(row.name, row.in, "steer_lost")
			}
		})
	}
}

// Nobody is told but one host, and no more than the budget of errors has (RFC 1122 3.2.2, RFC 4443 2.4).
func TestUnreachableIsForOneHostAndWithinItsBudget(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		nobody := map[string][]string{"IPv4": {"0.0.0.0:1", "224.0.0.1:1", "127.0.0.1:1"}, "IPv6": {"[::]:1", "[ff02::1]:1"}}[n.name]
		from := func(src string) packet.Packet { return packet.NewUDP(src, n.vipDNS, []byte("query")) }
		f.pool(n.dns, n.element1)
		for _, src := range append(nobody, n.client, n.other) {
			f.run("cl", fromClient(from(src)).Frame())
		}
		f.lose(n.dns, n.element1, maps.ResetFlows)
		for _, src := range nobody {
			f.dropped(src, from(src), "steer_lost")
		}
		hour := uint64(time.Hour)
		f.change(func(p *bpf.WeirParameters) {
			p.Rates[bpf.WeirBudgetBUDGET_ERRORS].Interval, p.Rates[bpf.WeirBudgetBUDGET_ERRORS].Burst = hour, hour/2
		})
		f.unreached("within the budget", from(n.client), bare(n))
		f.dropped("the budget is spent", from(n.other), "steer_lost")
		f.dropped("and then as if told", from(n.other), "steer_no_element")
	})
}

// Migrating: whatever the flow's client sends next chooses anew, and the entry follows.
func TestLostElementMigratesItsFlows(t *testing.T) {
	for name, next := range map[string]packet.Flags{"data": ack | packet.PSH, "FIN": fin | ack, "SYN": syn} {
		t.Run(name, func(t *testing.T) {
			inFamilies(t, func(f *fixture, n family) {
				f.pool(n.web, n.element1)
				f.goes("SYN", tcp(n.client, n.vip, syn, ""), n.element1)
				f.returns("SYN-ACK", tcp(n.element1, n.client, synAck, ""), n.vip)
				f.goes("ACK", tcp(n.client, n.vip, ack, ""), n.element1)
				f.pool(n.web, n.element1, n.element2)
				f.lose(n.web, n.element1, maps.MigrateFlows)
				f.goes("the next segment", tcp(n.client, n.vip, next, ""), n.element2)
				f.goes("and those behind it", tcp(n.client, n.vip, ack, "data"), n.element2)
				f.returns("and back", tcp(n.element2, n.client, ack, "data"), n.vip)
				f.check(spec{"not from the old one", "be", fromElement(tcp(n.element1, n.client, ack, "data")).Frame(), "not_ours", pass, nil})
			})
		})
	}
}

func TestDatagramsMigrate(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		query := packet.NewUDP(n.client, n.vipDNS, []byte("query"))
		f.pool(n.dns, n.element1)
		f.goes("first", query, n.element1)
		f.returns("answered", packet.NewUDP(n.element1, n.client, []byte("answer")), n.vipDNS)
		f.pool(n.dns, n.element1, n.element2)
		f.lose(n.dns, n.element1, maps.MigrateFlows)
		f.goes("the next", query, n.element2)
		f.returns("and back", packet.NewUDP(n.element2, n.client, []byte("answer")), n.vipDNS)
		f.lose(n.dns, n.element2, maps.MigrateFlows)
		f.dropped("nobody is left", query, "steer_no_element")
	})
}

// Where flows cannot migrate to, their clients are told.
func TestMigrateToNobody(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		f.pool(n.web, n.element1)
		f.goes("SYN", tcp(n.client, n.vip, syn, ""), n.element1)
		f.lose(n.web, n.element1, maps.MigrateFlows)
		f.dropped("a RST ends the flow", tcp(n.client, n.vip, rst, ""), "steer_lost")
		f.answered("data", tcp(n.client, n.vip, ack, "data"), "steer_refused", rst, 0x55667788, 0)
	})
}

// A row that was freed and not used again still says what becomes of its flows.
func TestMigrateFromAFreedRow(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	f.connect()
	f.pool(web(), element1, element2)
	f.lose(web(), element1, maps.MigrateFlows)
	f.mark(web(), element1, nil)
	f.goes("data", tcp(client, vip, ack, "data"), element2)
}

// The modes in which elements answer by themselves: the client's packets are all that is seen.
func TestLostElementInOtherModes(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	for _, on := range []maps.OnLoss{maps.ResetFlows, maps.MigrateFlows} {
		f.forget()
		f.pool(web(), element1)
		must(t, f.steering.Configure(web(), maps.Options{Mode: maps.DSR, OnLoss: on}))
		f.run("cl", fromClient(tcp(client, vip, syn, "")).Frame())
		f.pool(web(), element1, element2)
		lost := maps.Lost
		f.mark(web(), element1, &lost)
		if on == maps.ResetFlows {
			f.answered("data", tcp(client, vip, ack, "data"), "steer_reset", rst, 0x55667788, 0)
			continue
		}
		p := fromClient(tcp(client, vip, ack, "data"))
		out := p
		out.SrcMAC, out.DstMAC = hardware(beMAC), macOf(addrPort(element2).Addr())
		out.TTL--
		f.check(spec{"data", "cl", p.Frame(), "steer_forward", redirect, out.Frame()})
	}
}
