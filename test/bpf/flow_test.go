// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"fmt"
	"testing"

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
	f.dropped("SYN to the other, when the first is half closed", tcp(client, vip2, syn, ""), "steer_nat_conflict")
	f.goes("the client closes too", tcp(client, vip, fin|ack, ""), element1)
	f.goes("SYN to the other, when the first is over", tcp(client, vip2, syn, ""), element1)
	f.returns("its way back", tcp(element1, client, synAck, ""), vip2)
}

// A row whose element is gone is no place for the next one's flows before the old one's are forgotten.
func TestRowIsNotUsedAgainBeforeItsFlowsAreGone(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	f.connect()
	before := f.steering.Rows(web())[0]
	f.mark(web(), element1, nil)
	f.pool(web(), element2)
	if after := f.steering.Rows(web())[0]; after.Index == before.Index {
		t.Fatalf("row %d went from one element to the next", after.Index)
	}
	f.answered("data of the old flow", tcp(client, vip, ack, "data"), "steer_reset", rst, 0x55667788, 0)
	gone := f.steering.Retired()
	_, err := f.flows.Sweep(gone)
	must(t, err)
	must(t, f.steering.Release(gone))
	f.goes("data, which chooses anew", tcp(client, vip, ack, "data"), element2)
	f.pool(web(), element2, element1)
	if rows := f.steering.Rows(web()); rows[0].Index != before.Index {
		t.Errorf("rows %+v, want one in row %d", rows, before.Index)
	}
}

// Whose clients the agent makes speak when their element is lost.
func TestWhoIsToBeTold(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	row := f.steering.Rows(web())[0].Index
	want := func(what string, told bool) {
		t.Helper()
		flows, err := f.flows.ToTell(row)
		must(t, err)
		if got := fmt.Sprint(flows); told && got != fmt.Sprint([]maps.Flow{{Client: addrPort(client), VIP: addrPort(vip)}}) || !told && len(flows) > 0 {
			t.Errorf("%s: %s", what, got)
		}
	}
	f.goes("SYN", tcp(client, vip, syn, ""), element1)
	want("opening: the client hears by its next SYN", false)
	f.returns("SYN-ACK", tcp(element1, client, synAck, ""), vip)
	want("answered", true)
	f.goes("ACK", tcp(client, vip, ack, ""), element1)
	want("open", true)
	f.goes("RST", tcp(client, vip, rst, ""), element1)
	want("the client gave up", false)
	f.goes("data", tcp(client, vip, ack, "data"), element1)
	want("the RST was not the client's own", true)
	f.returns("FIN", tcp(element1, client, fin|ack, ""), vip)
	want("half closed", true)
	f.goes("FIN", tcp(client, vip, fin|ack, ""), element1)
	want("closed", false)
}

// A packet of either end keeps a flow from being forgotten.
func TestFlowIsSeen(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	f.connect()
	for end, heard := range map[string]func(){
		"client":  func() { f.goes("data", tcp(client, vip, ack, "data"), element1) },
		"element": func() { f.returns("data", tcp(element1, client, ack, "data"), vip) },
	} {
		before := f.entries()
		f.age(2)
		aged := f.entries()
		heard()
		after := f.entries()
		if len(after) != 1 || aged[0].Seen == before[0].Seen || int16(after[0].Seen-before[0].Seen) < 0 {
			t.Errorf("%s: entries %+v, then %+v", end, before, after)
		}
	}
}

// entries are the flow table's, without the free ones.
func (f *fixture) entries() (all []bpf.WeirFlow) {
	f.Helper()
	f.eachBucket(func(b *bpf.WeirFlowBucket) {
		for _, way := range b.Ways {
			if way.State&0x0f >= uint8(bpf.WeirFlowStateFLOW_OPENING) {
				all = append(all, way)
			}
		}
	})
	return all
}

// age makes all flows so many ticks older.
func (f *fixture) age(ticks uint16) {
	f.Helper()
	f.eachBucket(func(b *bpf.WeirFlowBucket) {
		for i := range b.Ways {
			b.Ways[i].Seen -= ticks
		}
	})
}

func (f *fixture) eachBucket(visit func(*bpf.WeirFlowBucket)) {
	f.Helper()
	for i := range f.maps.Flows.MaxEntries() {
		var b bpf.WeirFlowBucket
		must(f, f.maps.Flows.Lookup(i, &b))
		was := b
		if visit(&b); b != was {
			must(f, f.maps.Flows.Put(i, b))
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
}

// A new flow takes no entry of one that was answered and lives, and the longest opening one's before
// it finds no place. Of an attacker's openings a client's established flow hears nothing.
func TestFullTable(t *testing.T) {
	f := newFixtureOf(t, 3) // two buckets of four
	f.pool(web(), element1)
	f.connect()
	for port := range 200 {
		f.goes("an opening", tcp(fmt.Sprintf("10.64.0.9:%d", 1000+port), vip, syn, ""), element1)
	}
	f.goes("the established flow", tcp(client, vip, ack, "data"), element1)
	f.returns("and its way back", tcp(element1, client, ack, "data"), vip)
	for _, e := range f.entries() {
		if e.State&0x0f == uint8(bpf.WeirFlowStateFLOW_ESTABLISHED) && e.Version != 1 {
			t.Errorf("the established flow's entry was used by another: %+v", e)
		}
	}
	f.eachBucket(func(b *bpf.WeirFlowBucket) {
		for i := range b.Ways {
			b.Ways[i].State = b.Ways[i].State&0xf0 | uint8(bpf.WeirFlowStateFLOW_ESTABLISHED)
		}
	})
	f.dropped("SYN, when all live", tcp("10.64.0.10:1", vip, syn, ""), "steer_table_full")
	f.age(4000)
	f.goes("SYN, when all are silent for long", tcp("10.64.0.10:1", vip, syn, ""), element1)
}
