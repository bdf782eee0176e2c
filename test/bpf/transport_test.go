// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/packet"
)

// Verification tags of the two ends of an association.
const (
	clientTag = 0xc1c2c3c4
	serverTag = 0x51525354
)

// chunks is an SCTP packet with chunks of these types, 3 bytes in each.
func chunks(src, dst string, tag uint32, kinds ...uint8) packet.Packet {
	var list []packet.Chunk
	for _, kind := range kinds {
		list = append(list, packet.Chunk{Type: kind, Value: []byte("abc")})
	}
	return packet.NewSCTP(src, dst, tag, list...)
}

func initOf(src, dst string, parameters ...byte) packet.Packet {
	return packet.NewSCTP(src, dst, 0, packet.Init(clientTag, parameters...))
}

func initAckOf(src, dst string) packet.Packet {
	return packet.NewSCTP(src, dst, clientTag, packet.InitAck(serverTag))
}

// dccpOf is a DCCP packet of this type.
func dccpOf(src, dst string, kind uint8, payload string) packet.Packet {
	p := packet.New(packet.DCCP, src, dst)
	p.DCCPType, p.Seq, p.Ack, p.Payload = kind, 0x01020304, 0x05060708, []byte(payload)
	return p
}

// associate sets an association up under NAT.
func (f *fixture) associate(client, vip, element string) {
	f.Helper()
	f.goes("INIT", initOf(client, vip), element)
	f.returns("INIT ACK", initAckOf(element, client), vip)
	f.goes("COOKIE ECHO", chunks(client, vip, serverTag, packet.ChunkCookieEcho), element)
	f.returns("COOKIE ACK", chunks(element, client, clientTag, packet.ChunkCookieAck), vip)
}

// stateOf is the state of the table's only flow.
func (f *fixture) stateOf() bpf.WeirFlowState {
	f.Helper()
	all := f.entries()
	if len(all) != 1 {
		f.Fatalf("%d flows, want 1", len(all))
	}
	return bpf.WeirFlowState(all[0].State & 0x0f)
}

// To the same port nothing of the packet is changed but addresses; to another one the CRC is, too.
func TestSCTP(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		for _, element := range []string{withPort(n.resolver, 53), n.resolver} {
			f.forget()
			f.serve(n)
			f.pool(n.sctp, element)
			f.inBothWays(t, n, func(f *fixture) {
				f.associate(n.client, n.vipDNS, element)
				f.goes("DATA", chunks(n.client, n.vipDNS, serverTag, packet.ChunkSack, packet.ChunkData), element)
				f.returns("DATA back", chunks(element, n.client, clientTag, packet.ChunkData), n.vipDNS)
				f.goes("HEARTBEAT", chunks(n.client, n.vipDNS, serverTag, packet.ChunkHeartbeat), element)
				f.returns("HEARTBEAT ACK", chunks(element, n.client, clientTag, packet.ChunkHeartbeatAck), n.vipDNS)
				f.goes("a chunk of no type that is known", chunks(n.client, n.vipDNS, serverTag, 0xff), element)
				f.goes("a header alone", packet.NewSCTP(n.client, n.vipDNS, serverTag), element)
				f.goes("SHUTDOWN", chunks(n.client, n.vipDNS, serverTag, packet.ChunkShutdown), element)
				f.returns("SHUTDOWN ACK", chunks(element, n.client, clientTag, packet.ChunkShutdownAck), n.vipDNS)
				f.goes("SHUTDOWN COMPLETE", chunks(n.client, n.vipDNS, serverTag, packet.ChunkShutdownDone), element)
				f.goes("ABORT", chunks(n.client, n.vipDNS, serverTag, packet.ChunkAbort), element)
				f.returns("ABORT back", chunks(element, n.client, clientTag, packet.ChunkAbort), n.vipDNS)
				f.goes("a packet of no flow", chunks(n.other, n.vipDNS, serverTag, packet.ChunkData), element)
			})
		}
		f.dropped("an ABORT of no flow", chunks(withPort(n.client, 1), n.vipDNS, 7, packet.ChunkAbort), "steer_stray")
		f.pool(n.sctp)
		f.dropped("INIT to an empty pool", initOf(withPort(n.client, 2), n.vipDNS), "steer_no_element")
	})
}

// Whatever the length and the ports, SCTP's checksum is what another program makes of the whole packet.
func TestEveryCRCIsRight(t *testing.T) {
	f := newFixture(t)
	f.pool(sctp(), "10.0.20.3:5353")
	must(t, f.steering.Configure(sctp(), maps.Options{}))
	for size := 0; size < 1400; size = size*9/8 + 1 {
		p := packet.NewSCTP(fmt.Sprintf("10.64.0.1:%d", 1+size*47%65535), vipDNS, serverTag)
		p.Payload = []byte(strings.Repeat("\x00\xff\x5a", size/3+1)[:size])
		p = fromClient(p)
		f.expect(spec{fmt.Sprint(size, " bytes"), "cl", p.Frame(), "steer_forward", redirect, toElement(p, "10.0.20.3:5353").Frame()})
		back := packet.NewSCTP("10.0.20.3:5353", p.Src.String(), clientTag)
		back.Payload = p.Payload
		back = fromElement(back)
		f.expect(spec{fmt.Sprint(size, " bytes back"), "be", back.Frame(), "steer_return", redirect, toClient(back, vipDNS).Frame()})
	}
}

// The powers of x that the program multiplies with: each makes of a CRC what as many zero bytes do.
func TestPowersOfTheCRC(t *testing.T) {
	spec, err := bpf.LoadWeir()
	must(t, err)
	var powers [16]uint32
	must(t, spec.Variables["crc_powers"].Get(&powers))
	const one = 1 << 31 // the polynomial 1
	for k, got := range powers {
		// Update begins with the complement of what it is given, and ends with one.
		if want := ^crc32.Update(^uint32(one), crc32.MakeTable(crc32.Castagnoli), make([]byte, 1<<k)); got != want {
			t.Errorf("2^%d bytes: %#x, want %#x", k, got, want)
		}
	}
}

func TestDCCP(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		f.serve(n)
		f.inBothWays(t, n, func(f *fixture) {
			covering := func(p packet.Packet, coverage uint8) packet.Packet { p.DCCPCoverage = coverage; return p }
			f.goes("Request", dccpOf(n.client, n.vipDNS, packet.DCCPRequest, ""), n.resolver)
			f.returns("Response", dccpOf(n.resolver, n.client, packet.DCCPResponse, ""), n.vipDNS)
			f.goes("Ack", dccpOf(n.client, n.vipDNS, packet.DCCPAck, ""), n.resolver)
			f.goes("Data", dccpOf(n.client, n.vipDNS, packet.DCCPData, "data"), n.resolver)
			f.goes("no data is covered", covering(dccpOf(n.client, n.vipDNS, packet.DCCPData, "data"), 1), n.resolver)
			f.returns("4 bytes are covered", covering(dccpOf(n.resolver, n.client, packet.DCCPData, "datagram"), 2), n.vipDNS)
			f.returns("CloseReq", dccpOf(n.resolver, n.client, packet.DCCPCloseReq, ""), n.vipDNS)
			f.goes("Close", dccpOf(n.client, n.vipDNS, packet.DCCPClose, ""), n.resolver)
			f.returns("Reset", dccpOf(n.resolver, n.client, packet.DCCPReset, ""), n.vipDNS)
			f.goes("a packet of no flow", dccpOf(n.other, n.vipDNS, packet.DCCPData, ""), n.resolver)
		})
		f.dropped("a Reset of no flow", dccpOf(withPort(n.client, 1), n.vipDNS, packet.DCCPReset, ""), "steer_stray")
		data := fromClient(dccpOf(n.client, n.vipDNS, packet.DCCPData, "data")).Frame()
		at := len(data) - len("data") - 16
		f.check(spec{"16 bytes of header are 12", "cl", edit(data, at+4, 3), "steer_malformed", drop, nil})
		f.check(spec{"header beyond the packet", "cl", edit(data, at+4, 6), "steer_malformed", drop, nil})
		f.pool(n.dccp)
		f.dropped("Request to an empty pool", dccpOf(withPort(n.client, 2), n.vipDNS, packet.DCCPRequest, ""), "steer_no_element")
	})
}

// Data may have 24 bits of sequence number, and a header of 12 bytes (RFC 4340 5.1).
func TestShortSequenceNumbersOfDCCP(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		f.serve(n)
		p := fromClient(dccpOf(n.client, n.vipDNS, packet.DCCPData, "data"))
		frame := p.Frame()
		at := len(frame) - len("data") - 16
		check := uint32(frame[at+6])<<8 + uint32(frame[at+7]) + 0x200 // for what is taken off from two words
		check += check >> 16
		frame = edit(edit(edit(frame, at+4, 3), at+6, byte(check>>8), byte(check)), at+8, packet.DCCPData<<1)
		got := f.run("cl", frame)
		out, err := packet.Decode(got.out)
		if got.verdict != "steer_forward" || err != nil || out.BadChecksum || out.Dst != addrPort(n.resolver) {
			t.Errorf("%s, %v, %+v", got.verdict, err, out)
		}
		f.check(spec{"and less", "cl", edit(frame, at+4, 2), "steer_malformed", drop, nil})
	})
}

// Every checksum that a word of data can make, 0 among them, which is nothing special here.
func TestEveryDCCPChecksumIsRight(t *testing.T) {
	f := newFixture(t)
	f.pool(dccp(), "10.0.20.3:5353")
	zero := false
	for word := range 1 << 16 {
		p := fromClient(dccpOf(client, vipDNS, packet.DCCPData, string([]byte{byte(word >> 8), byte(word)})))
		in, out := p.Frame(), toElement(p, "10.0.20.3:5353").Frame()
		if check := uint16(in[40])<<8 | uint16(in[41]); check > 1 && check < 0xfffe && word%257 != 0 {
			if check = uint16(out[40])<<8 | uint16(out[41]); check > 1 && check < 0xfffe {
				continue
			}
		}
		zero = zero || out[40] == 0 && out[41] == 0
		f.expect(spec{fmt.Sprintf("word %04x", word), "cl", in, "steer_forward", redirect, out})
	}
	if !zero {
		t.Error("no packet had a checksum of 0")
	}
}

// What has a connection opens, is answered, goes on and ends.
func TestStatesOfSCTPAndDCCP(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		f.serve(n)
		type step struct {
			from string
			p    packet.Packet
			want bpf.WeirFlowState
		}
		to := func(kinds ...uint8) packet.Packet { return chunks(n.client, n.vipDNS, serverTag, kinds...) }
		of := func(kinds ...uint8) packet.Packet { return chunks(n.resolver, n.client, clientTag, kinds...) }
		up := func(kind uint8) packet.Packet { return dccpOf(n.client, n.vipDNS, kind, "") }
		down := func(kind uint8) packet.Packet { return dccpOf(n.resolver, n.client, kind, "") }
		const opening, answered, established = bpf.WeirFlowStateFLOW_OPENING, bpf.WeirFlowStateFLOW_ANSWERED, bpf.WeirFlowStateFLOW_ESTABLISHED
		const closed, reset = bpf.WeirFlowStateFLOW_CLIENT_CLOSED, bpf.WeirFlowStateFLOW_RESET
		for name, steps := range map[string][]step{
			"SCTP": {
				{"cl", initOf(n.client, n.vipDNS), opening}, {"cl", initOf(n.client, n.vipDNS), opening},
				{"be", initAckOf(n.resolver, n.client), answered}, {"cl", initOf(n.client, n.vipDNS), answered},
				{"cl", to(packet.ChunkCookieEcho), established}, {"be", of(packet.ChunkCookieAck), established},
				{"cl", to(packet.ChunkData), established}, {"cl", to(packet.ChunkShutdown), established},
				{"be", of(packet.ChunkShutdownAck), established}, {"cl", to(packet.ChunkShutdownDone), reset},
			},
			"SCTP, aborted by the client":         {{"cl", initOf(n.client, n.vipDNS), opening}, {"cl", to(packet.ChunkAbort), reset}, {"cl", to(packet.ChunkData), established}},
			"SCTP, aborted by the element":        {{"cl", initOf(n.client, n.vipDNS), opening}, {"be", of(packet.ChunkAbort), reset}, {"cl", initOf(n.client, n.vipDNS), opening}},
			"SCTP, an ABORT behind another chunk": {{"cl", initOf(n.client, n.vipDNS), opening}, {"cl", to(packet.ChunkSack, packet.ChunkAbort), opening}},
			"DCCP": {
				{"cl", up(packet.DCCPRequest), opening}, {"be", down(packet.DCCPResponse), answered}, {"cl", up(packet.DCCPRequest), answered},
				{"cl", up(packet.DCCPAck), established}, {"be", down(packet.DCCPData), established}, {"be", down(packet.DCCPCloseReq), established},
				{"cl", up(packet.DCCPClose), closed}, {"be", down(packet.DCCPReset), reset}, {"cl", up(packet.DCCPRequest), opening},
			},
		} {
			f.forget()
			for i, s := range steps {
				p := fromClient(s.p)
				if s.from == "be" {
					p = fromElement(s.p)
				}
				f.run(s.from, p.Frame())
				if got := f.stateOf(); got != s.want {
					t.Errorf("%s, packet %d: state %d, want %d", name, i+1, got, s.want)
				}
			}
		}
	})
}

// The client of a lost element may open another association, which goes elsewhere.
func TestLostElementOfSCTPAndDCCP(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		f.serve(n)
		other := withPort(n.element2, 5353)
		lost := maps.Lost
		f.associate(n.client, n.vipDNS, n.resolver)
		f.goes("Request", dccpOf(n.client, n.vipDNS, packet.DCCPRequest, ""), n.resolver)
		for _, s := range []maps.Service{n.sctp, n.dccp} {
			f.pool(s, n.resolver, other)
			f.mark(s, n.resolver, &lost)
		}
		f.dropped("DATA", chunks(n.client, n.vipDNS, serverTag, packet.ChunkData), "steer_lost")
		f.dropped("ABORT", chunks(n.client, n.vipDNS, serverTag, packet.ChunkAbort), "steer_lost")
		f.goes("INIT", initOf(n.client, n.vipDNS), other)
		f.goes("Request", dccpOf(n.client, n.vipDNS, packet.DCCPRequest, ""), other)
	})
}

func TestTransportsUnderDSR(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		element := withPort(n.resolver, 53)
		f.pool(n.sctp, element)
		f.pool(n.dccp, element)
		f.direct(n.sctp, n.dccp)
		f.remains("INIT", initOf(n.client, n.vipDNS), element)
		f.remains("COOKIE ECHO", chunks(n.client, n.vipDNS, serverTag, packet.ChunkCookieEcho), element)
		f.remains("DATA", chunks(n.client, n.vipDNS, serverTag, packet.ChunkData), element)
		f.remains("Request", dccpOf(n.client, n.vipDNS, packet.DCCPRequest, ""), element)
		f.remains("DCCP data", dccpOf(n.client, n.vipDNS, packet.DCCPData, "data"), element)
	})
}

func TestTransportsInTunnels(t *testing.T) {
	f := newTunnelFixture(t)
	for _, o := range tunnelModes() {
		for _, to := range []string{"10.0.20.1:53", "[fd20::1]:53"} {
			f.forget()
			for i, s := range []maps.Service{sctp(), sctp6(), dccp(), dccp6(), lite(), lite6()} {
				at, from := vipDNS, client
				if i%2 == 1 {
					at, from = vipDNS6, client6
				}
				must(t, f.steering.Configure(s, o))
				f.pool(s, to)
				p := initOf(from, at)
				switch s.Protocol {
				case packet.DCCP:
					p = dccpOf(from, at, packet.DCCPRequest, "")
				case packet.UDPLite:
					p = udpLite(from, at, 8, "query")
				}
				f.tunnelled(fromClient(p), to, o)
			}
		}
	}
}

// A first fragment of SCTP does not tell how long the packet is that the checksum covers.
func TestFragmentsOfSCTP(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		first := chunks(n.client, n.vipDNS, serverTag, packet.ChunkData)
		first.MoreFragments, first.DontFragment, first.ID = true, false, 77
		f.pool(n.sctp, withPort(n.resolver, 53))
		f.run("cl", fromClient(first).Frame())
		f.expect(spec{"to the same port", "cl", fromClient(first).Frame(), "steer_forward", redirect, toElement(fromClient(first), withPort(n.resolver, 53)).Frame()})
		f.forget()
		f.pool(n.sctp, n.resolver)
		f.expect(spec{"to another port", "cl", fromClient(first).Frame(), "steer_fragment", drop, nil})
	})
}
