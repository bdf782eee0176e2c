// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"fmt"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/packet"
)

const (
	syn    = packet.SYN
	ack    = packet.ACK
	fin    = packet.FIN
	rst    = packet.RST
	synAck = packet.SYN | packet.ACK
)

// goes checks that the client's segment reaches the element.
func (f *fixture) goes(what string, p packet.Packet, element string) {
	f.Helper()
	p = fromClient(p)
	f.check(spec{what, "cl", p.Frame(), "steer_forward", redirect, toElement(p, element).Frame()})
}

// returns checks that the element's segment reaches the client as the VIP's.
func (f *fixture) returns(what string, p packet.Packet, vip string) {
	f.Helper()
	p = fromElement(p)
	f.check(spec{what, "be", p.Frame(), "steer_return", redirect, toClient(p, vip).Frame()})
}

// answered checks that the client's segment is answered by one without data.
func (f *fixture) answered(what string, p packet.Packet, verdict string, flags packet.Flags, seq, ack uint32) {
	f.Helper()
	p = fromClient(p)
	f.check(spec{what, "cl", p.Frame(), verdict, tx, answer(p, flags, seq, ack).Frame()})
}

func (f *fixture) dropped(what string, p packet.Packet, verdict string) {
	f.Helper()
	f.check(spec{what, "cl", fromClient(p).Frame(), verdict, drop, nil})
}

// connect opens a connection of the client to the web service's first element.
func (f *fixture) connect() {
	f.Helper()
	f.goes("SYN", tcp(client, vip, syn, ""), element1)
	f.returns("SYN-ACK", tcp(element1, client, synAck, ""), vip)
	f.goes("ACK", tcp(client, vip, ack, ""), element1)
}

// turn applies a state to the first element, with the second one active.
func (f *fixture) turn(state maps.State) {
	f.Helper()
	f.mark(web(), element1, &state)
}

// begin is a fixture whose web service had only the first element, and now has a second one.
func begin(t *testing.T, before func(*fixture)) *fixture {
	f := newFixture(t)
	f.pool(web(), element1)
	before(f)
	f.pool(web(), element1, element2)
	return f
}

func TestFlowStaysWhenTheTableChanges(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), "10.0.20.1:80")
	for port := range 50 {
		f.elementOf(t, fmt.Sprintf("10.64.0.1:%d", 1000+port), vip)
	}
	var all []string
	for n := 1; n <= 9; n++ {
		all = append(all, fmt.Sprintf("10.0.20.%d:80", n))
	}
	f.pool(web(), all...)
	for port := range 50 {
		from := fmt.Sprintf("10.64.0.1:%d", 1000+port)
		f.goes("data", tcp(from, vip, ack, "x"), "10.0.20.1:80")
		f.goes("FIN", tcp(from, vip, fin|ack, ""), "10.0.20.1:80")
		f.goes("the last ACK", tcp(from, vip, ack, ""), "10.0.20.1:80")
	}
}

func TestDrain(t *testing.T) {
	for _, state := range []maps.State{maps.Draining, maps.Away} {
		t.Run(state.String(), func(t *testing.T) {
			f := begin(t, func(f *fixture) {
				f.connect()
				f.goes("another client's SYN", tcp("10.64.0.2:40000", vip, syn, ""), element1)
			})
			f.turn(state)
			f.goes("data of an established connection", tcp(client, vip, ack, "data"), element1)
			f.returns("data of the element", tcp(element1, client, ack, "data"), vip)
			f.goes("a SYN that is sent again", tcp("10.64.0.2:40000", vip, syn, ""), element1)
			f.goes("a new client's SYN", tcp("10.64.0.3:40000", vip, syn, ""), element2)
			f.goes("FIN", tcp(client, vip, fin|ack, ""), element1)
			f.goes("a new connection from the old port", tcp(client, vip, syn, ""), element2)
			f.goes("and its data", tcp(client, vip, ack, "data"), element2)
			f.returns("and the other way", tcp(element2, client, ack, "data"), vip)
		})
	}
}

// A client whose SYN opens a connection again, with no FIN seen, chooses anew only if its element
// takes no new ones: otherwise its element knows best.
func TestSYNOnEstablishedFlow(t *testing.T) {
	f := begin(t, (*fixture).connect)
	f.goes("its element is active", tcp(client, vip, syn, ""), element1)
	f.turn(maps.Draining)
	f.goes("its element drains", tcp(client, vip, syn, ""), element2)
}

func TestSYNOnClosedFlowChoosesAnew(t *testing.T) {
	for name, end := range map[string]packet.Flags{"FIN": fin | ack, "RST": rst} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.pool(web(), element1)
			f.connect()
			f.goes(name, tcp(client, vip, end, ""), element1)
			must(t, f.steering.Apply(web(), []maps.Element{
				{PE: 1, Addr: addrPort(element1), Weight: 0, State: maps.Active}, // there, with no share of the new flows
				{PE: 2, Addr: addrPort(element2), Weight: 1, State: maps.Active},
			}))
			f.goes("SYN", tcp(client, vip, syn, ""), element2)
		})
	}
}

func TestLostElementResetsItsClients(t *testing.T) {
	const ackNumber, seq = 0x55667788, 0x11223344 // of tcp's segments
	noAck := func(flags packet.Flags, payload string) packet.Packet { return tcp(client, vip, flags, payload) }
	for _, tt := range []struct {
		name     string
		in       packet.Packet
		flags    packet.Flags
		seq, ack uint32
	}{
		{"ACK", tcp(client, vip, ack, ""), rst, ackNumber, 0},
		{"data", tcp(client, vip, ack|packet.PSH, "data"), rst, ackNumber, 0},
		{"FIN", tcp(client, vip, fin|ack, ""), rst, ackNumber, 0},
		{"data with FIN", tcp(client, vip, fin|ack, "data"), rst, ackNumber, 0},
		{"with IP options", withOptions(tcp(client, vip, ack, "data")), rst, ackNumber, 0},
		{"SYN-ACK", tcp(client, vip, synAck, ""), rst, ackNumber, 0},
		{"data without ACK", noAck(packet.PSH, "data"), rst | ack, 0, seq + 4},
		{"FIN without ACK", noAck(fin, ""), rst | ack, 0, seq + 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := begin(t, (*fixture).connect)
			f.turn(maps.Lost)
			f.answered("once", tt.in, "steer_reset", tt.flags, tt.seq, tt.ack)
			f.answered("again", tt.in, "steer_reset", tt.flags, tt.seq, tt.ack)
			f.dropped("the client's RST", tcp(client, vip, rst, ""), "steer_lost")
			f.goes("a new connection", tcp(client, vip, syn, ""), element2)
		})
	}
}

func TestLostElementWhileOpening(t *testing.T) {
	f := begin(t, func(f *fixture) { f.goes("SYN", tcp(client, vip, syn, ""), element1) })
	f.turn(maps.Lost)
	f.goes("the SYN again", tcp(client, vip, syn, ""), element2)
}

func TestLostElementOfDatagrams(t *testing.T) {
	f := newFixture(t)
	query := packet.NewUDP(client, vipDNS, []byte("query"))
	f.pool(dns(), element1)
	f.goes("first", query, element1)
	f.pool(dns(), element1, element2)
	lost := maps.Lost
	f.mark(dns(), element1, &lost)
	f.goes("chosen anew", query, element2)
	f.goes("and kept", query, element2)
	f.returns("and back", packet.NewUDP(element2, client, []byte("answer")), vipDNS)
	f.mark(dns(), element2, &lost)
	f.dropped("nobody is left", query, "steer_no_element")
}

func TestEmptyPool(t *testing.T) {
	f := newFixture(t)
	const seq, ackNumber = 0x11223344, 0x55667788
	wraps := tcp(client, vip, syn, "")
	wraps.Seq = 0xffffffff
	f.answered("SYN", tcp(client, vip, syn, ""), "steer_refused", rst|ack, 0, seq+1)
	f.answered("SYN with data", tcp(client, vip, syn, "12345"), "steer_refused", rst|ack, 0, seq+5+1)
	f.answered("SYN at the end of the sequence space", wraps, "steer_refused", rst|ack, 0, 0)
	f.answered("SYN with IP options", withOptions(tcp(client, vip, syn, "")), "steer_refused", rst|ack, 0, seq+1)
	f.answered("ACK", tcp(client, vip, ack, "data"), "steer_refused", rst, ackNumber, 0)
	f.dropped("RST", tcp(client, vip, rst, ""), "steer_stray")
	f.dropped("datagram", packet.NewUDP(client, vipDNS, []byte("query")), "steer_no_element")
	f.pool(web(), element1)
	f.goes("SYN, once there is an element", tcp(client, vip, syn, ""), element1)
}

func TestStrayReset(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	f.dropped("RST of no flow", tcp(client, vip, rst, ""), "steer_stray")
	f.dropped("RST-ACK of no flow", tcp(client, vip, rst|ack, ""), "steer_stray")
	f.connect()
	f.goes("RST of a flow", tcp(client, vip, rst, ""), element1)
}

// The way back is told by element, port and client: one client port cannot reach the same element
// by two services at a time.
func TestOneClientPortAtTwoServices(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	f.pool(web2(), element1)
	f.connect()
	f.dropped("SYN to the other", tcp(client, vip2, syn, ""), "steer_nat_conflict")
	f.goes("another port", tcp("10.64.0.1:40001", vip2, syn, ""), element1)
	f.goes("the first flow", tcp(client, vip, ack, ""), element1)
	f.returns("and its way back", tcp(element1, client, ack, ""), vip)

	f.pool(web2(), element1, element2)
	f.goes("SYN to the other, with a choice", tcp(client, vip2, syn, ""), element2)
	f.returns("its way back", tcp(element2, client, synAck, ""), vip2)

	f.mark(web2(), element2, nil)
	f.forget()
	f.connect()
	f.returns("the element closes", tcp(element1, client, fin|ack, ""), vip)
	f.goes("SYN to the other, when the first is over", tcp(client, vip2, syn, ""), element1)
	f.returns("its way back", tcp(element1, client, synAck, ""), vip2)
}

// A row that another element got is no place for the old one's flows.
func TestRowOfAnotherGeneration(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	f.connect()
	before := f.steering.Rows(web())[0]
	f.mark(web(), element1, nil)
	f.pool(web(), element2)
	after := f.steering.Rows(web())[0]
	if after.Index != before.Index || after.Generation == before.Generation {
		t.Fatalf("rows %+v and %+v: want one row with two generations", before, after)
	}
	f.answered("data of the old flow", tcp(client, vip, ack, "data"), "steer_reset", rst, 0x55667788, 0)
	f.goes("SYN", tcp(client, vip, syn, ""), element2)
}

// What the agent needs to reset an idle client: the client's last acknowledgement.
func TestClientAckIsKept(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	row := f.steering.Rows(web())[0].ID()
	want := func(what string, acks ...uint32) {
		t.Helper()
		flows, err := maps.TCPFlows(f.maps, row)
		must(t, err)
		var got []uint32
		for _, flow := range flows {
			got = append(got, flow.ClientAck)
			if flow.Client != addrPort(client) || flow.VIP != addrPort(vip) {
				t.Errorf("%s: flow %+v", what, flow)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(acks) {
			t.Errorf("%s: acknowledgements %x, want %x", what, got, acks)
		}
	}
	f.goes("SYN", tcp(client, vip, syn, ""), element1)
	want("opening: the client hears by its next SYN")
	f.returns("SYN-ACK", tcp(element1, client, synAck, ""), vip)
	want("the element's acknowledgement is not the client's")
	f.goes("ACK", tcp(client, vip, ack, ""), element1)
	want("open", 0x55667788)
	later := tcp(client, vip, ack, "data")
	later.Ack = 0xfedcba98
	f.goes("data", later, element1)
	want("later", 0xfedcba98)
	f.goes("RST", tcp(client, vip, rst, ""), element1)
	want("the client gave up")
	later.Ack++
	f.goes("data", later, element1)
	want("the RST was not the client's own", 0xfedcba99)
}

// Each direction notes when it was last heard of, in ticks of 2^30 ns, for the agent's sweep.
func TestFlowIsSeen(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	f.connect()
	seen := map[uint8]uint32{}
	each := func(visit func(bpf.WeirFlowKey, bpf.WeirFlow)) {
		var key bpf.WeirFlowKey
		var flow bpf.WeirFlow
		it := f.maps.Flows.Iterate()
		for it.Next(&key, &flow) {
			visit(key, flow)
		}
		must(t, it.Err())
	}
	each(func(key bpf.WeirFlowKey, flow bpf.WeirFlow) {
		flow.Seen = 1
		must(t, f.maps.Flows.Put(key, flow))
	})
	for direction, heard := range []func(){
		func() { f.goes("data", tcp(client, vip, ack, "data"), element1) },
		func() { f.returns("data", tcp(element1, client, ack, "data"), vip) },
	} {
		before := uint32(coarse() >> 30)
		heard()
		each(func(key bpf.WeirFlowKey, flow bpf.WeirFlow) { seen[key.Direction] = flow.Seen })
		if got := seen[uint8(direction)]; got < before || got > uint32(coarse()>>30) {
			t.Errorf("direction %d was heard of at tick %d, want %d", direction, got, before)
		}
		if other := seen[1]; direction == 0 && other != 1 {
			t.Errorf("the other direction was heard of at tick %d, want 1", other)
		}
	}
}

// A flow that the table lost, by age or at a restart, is chosen for like a new one.
func TestSegmentWithoutFlowIsChosenFor(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	f.connect()
	f.forget()
	f.goes("data", tcp(client, vip, ack, "data"), element1)
	f.returns("and back", tcp(element1, client, ack, "data"), vip)
	row := f.steering.Rows(web())[0].ID()
	if flows, err := maps.TCPFlows(f.maps, row); err != nil || len(flows) != 1 || flows[0].ClientAck != 0x55667788 {
		t.Errorf("flows %+v, %v; want one with the client's acknowledgement", flows, err)
	}
}

// The flow table evicts before it refuses; a table that cannot evict stands in for one that finds
// no victim. Neither direction may be missing, so that the packet is dropped and sent again.
func TestFlowTableTakesNoEntry(t *testing.T) {
	for entries, missing := range []string{"no room for any", "no room for the way there"} {
		t.Run(missing, func(t *testing.T) {
			f := newFixture(t)
			spec, err := bpf.LoadWeir()
			must(t, err)
			spec.Maps["flows"].Type, spec.Maps["flows"].MaxEntries = ebpf.Hash, 1
			var full bpf.WeirObjects
			must(t, spec.LoadAndAssign(&full, nil))
			t.Cleanup(func() { full.Close() })
			f.maps, f.program = &full.WeirMaps, full.Weir
			f.steering, err = maps.OpenSteering(f.maps, services())
			must(t, err)
			f.pool(web(), element1)
			if entries == 0 {
				must(t, f.maps.Flows.Put(bpf.WeirFlowKey{Src: 1}, bpf.WeirFlow{}))
			}
			f.dropped("SYN", tcp(client, vip, syn, ""), "steer_table_full")
		})
	}
}
