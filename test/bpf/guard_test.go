// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"
	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/test/packet"
)

// passes checks that the stranger's packet reaches the stack as it is.
func (f *fixture) passes(what string, p packet.Packet, verdict string) {
	f.Helper()
	f.check(spec{what, "cl", fromClient(p).Frame(), verdict, pass, nil})
}

// coarse is the clock that the program reads, in ns.
func coarse() uint64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC_COARSE, &ts); err != nil {
		panic(err)
	}
	return uint64(ts.Nano())
}

func TestAdmitted(t *testing.T) {
	f := newFixture(t)
	peer := []netip.AddrPort{addrPort(client)}
	must(t, f.guard.Admit(addrPorts(registrar)[0], peer, time.Now().Add(time.Hour)))
	for _, flags := range []packet.Flags{syn, synAck, ack, ack | packet.PSH, fin | ack, rst, rst | ack, ack | packet.URG} {
		f.passes("of the session, "+flags.String(), tcp(client, registrar, flags, ""), "guard_admitted")
	}
	f.passes("with IP options", withOptions(tcp(client, registrar, ack, "data")), "guard_admitted")
	f.dropped("another port of the same host", tcp("10.64.0.1:40001", registrar, ack, ""), "guard_unknown_flow")
	f.dropped("another host", tcp("10.64.0.2:40000", registrar, ack, ""), "guard_unknown_flow")
	f.dropped("impossible flags", tcp(client, registrar, syn|fin, ""), "guard_malformed")

	must(t, f.guard.Admit(addrPorts(registrar)[0], peer, time.Now().Add(-time.Second)))
	f.dropped("its time is over", tcp(client, registrar, ack, ""), "guard_unknown_flow")
	must(t, f.guard.Admit(addrPorts(registrar)[0], peer, time.Now().Add(time.Hour)))
	must(t, f.guard.Revoke(addrPorts(registrar)[0], peer))
	f.dropped("it was revoked", tcp(client, registrar, ack, ""), "guard_unknown_flow")
}

// The fixture lets a newcomer send three packets after its SYN.
func TestNewcomer(t *testing.T) {
	f := newFixture(t)
	f.dropped("ACK before any SYN", tcp(client, registrar, ack, ""), "guard_unknown_flow")
	f.dropped("SYN-ACK", tcp(client, registrar, synAck, ""), "guard_unknown_flow")
	f.dropped("FIN", tcp(client, registrar, fin|ack, ""), "guard_unknown_flow")
	f.passes("SYN", tcp(client, registrar, syn, ""), "guard_newcomer")
	f.passes("ACK", tcp(client, registrar, ack, ""), "guard_handshake")
	f.passes("data", tcp(client, registrar, ack, "client hello"), "guard_handshake")
	f.dropped("another port meanwhile", tcp("10.64.0.1:40001", registrar, ack, ""), "guard_unknown_flow")
	f.passes("RST", tcp(client, registrar, rst, ""), "guard_handshake")
	f.dropped("a fourth packet", tcp(client, registrar, ack, "data"), "guard_flow_spent")
	f.dropped("and a fifth", tcp(client, registrar, ack, "data"), "guard_flow_spent")
	f.passes("another connection", tcp("10.64.0.1:40001", registrar, syn, ""), "guard_newcomer")
	f.passes("the port again", tcp(client, registrar, syn, ""), "guard_newcomer")
	f.passes("which has a budget of its own", tcp(client, registrar, ack, ""), "guard_handshake")
}

func TestHandshakeThatTakesTooLong(t *testing.T) {
	f := newFixture(t)
	f.change(func(p *bpf.WeirParameters) { p.HandshakeNs = 0 })
	f.passes("SYN", tcp(client, registrar, syn, ""), "guard_newcomer")
	f.dropped("too late", tcp(client, registrar, ack, ""), "guard_flow_spent")
	f.passes("SYN again", tcp(client, registrar, syn, ""), "guard_newcomer")
}

func TestWhatIsNoStrangersTCP(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	fragment := tcp(client, registrar, syn, "12345678")
	fragment.DontFragment, fragment.MoreFragments = false, true
	datagramFragment := packet.NewUDP(client, registrar, []byte("12345678"))
	datagramFragment.DontFragment, datagramFragment.MoreFragments = false, true
	later := packet.New(packet.TCP, client, registrar)
	later.DontFragment, later.FragmentOffset, later.Payload = false, 4, []byte("the rest")
	ported := func(protocol uint8) packet.Packet {
		p := packet.New(protocol, client, registrar)
		p.Payload = []byte{0x9c, 0x40, 3863 >> 8, 3863 & 0xff, 0, 8, 0, 0}
		return p
	}
	for _, flags := range []packet.Flags{0, fin, packet.PSH, packet.URG, fin | packet.PSH | packet.URG, syn | fin, syn | rst, rst | fin,
		syn | fin | ack, syn | rst | ack, 0xff} {
		f.dropped("flags "+flags.String(), tcp(client, registrar, flags, ""), "guard_malformed")
	}
	f.dropped("a datagram", packet.NewUDP(client, registrar, []byte("query")), "guard_not_tcp")
	f.dropped("SCTP", packet.New(packet.SCTP, client, registrar), "guard_not_tcp")
	f.dropped("DCCP", ported(33), "guard_not_tcp")
	f.dropped("UDP-Lite", ported(136), "guard_not_tcp")
	f.dropped("a first fragment", fragment, "guard_fragment")
	f.dropped("a datagram's first fragment", datagramFragment, "guard_not_tcp")
	f.check(spec{"TCP header of 16 bytes", "cl", edit(fromClient(tcp(client, registrar, ack, "")).Frame(), atDoff, 0x40), "guard_malformed", drop, nil})
	f.passes("a later fragment has no port, and no use without the first", later, "fragment")
	f.passes("ping", packet.NewICMP("10.64.0.1", "10.0.9.254", 8, 0), "not_ours")
	f.passes("another port of the registrar's host", tcp(client, "10.0.9.254:22", syn, ""), "not_ours")
	f.passes("a datagram at another port", packet.NewUDP(client, "10.0.9.254:53", []byte("query")), "not_ours")
	f.passes("the registrar's port at another address", tcp(client, "10.0.20.254:3863", syn, ""), "not_ours")
	f.goes("the service", tcp(client, vip, syn, ""), element1)
}

// guardKey is the key that tests of challenges set.
func guardKey() [2]uint64 { return [2]uint64{0x1122334455667788, 0x99aabbccddeeff00} }

// epoch counts 2^33 ns, the life of a challenge's number.
func epoch() uint64 { return coarse() >> 33 }

// challengeOf is the number that a SYN's sender has to repeat: the low half of a MAC over both
// addresses, both ports, the epoch and the protocol, words as they lie in the packet.
func challengeOf(p packet.Packet, epoch uint64) uint32 {
	return uint32(sipHash16(guardKey(), word32(p.Src.Addr())<<32|word32(p.Dst.Addr()),
		word16(p.Src.Port())<<48|word16(p.Dst.Port())<<32|epoch&0xffffff<<8|uint64(p.Protocol)))
}

// newSpentFixture is one whose strangers' budget is spent for good.
func newSpentFixture(t *testing.T) *fixture {
	f := newFixture(t)
	f.change(func(p *bpf.WeirParameters) {
		p.GuardKey = guardKey()
		p.Rates[bpf.WeirBudgetBUDGET_NEWCOMERS].Interval = 0
	})
	return f
}

func TestChallenge(t *testing.T) {
	f := newSpentFixture(t)
	options := tcp("10.64.0.2:1", registrar, syn, "")
	options.TCPOptions = []layers.TCPOption{
		{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{5, 0xb4}},
		{OptionType: layers.TCPOptionKindSACKPermitted, OptionLength: 2}, {OptionType: layers.TCPOptionKindNop}, {OptionType: layers.TCPOptionKindNop},
	}
	tos := tcp("10.64.0.5:5", registrar, syn|packet.ECE|packet.CWR, "")
	tos.TOS, tos.ID, tos.TTL, tos.Urgent = 0xb8, 77, 3, 9
	for name, p := range map[string]packet.Packet{
		"plain":           tcp("10.64.0.1:65535", registrar, syn, ""),
		"TCP options":     options,
		"IP options":      withOptions(tcp("10.64.0.3:3", registrar, syn, "")),
		"data":            tcp("10.64.0.4:4", registrar, syn, "fast open"),
		"all fields used": tos,
	} {
		t.Run(name, func(t *testing.T) {
			in := fromClient(p)
			for {
				now := epoch()
				got := f.run("cl", in.Frame())
				if epoch() != now {
					continue
				}
				want := answer(in, synAck, 0, challengeOf(in, now)).Frame()
				if diff := packet.Diff(want, got.out); diff != "" || got.verdict != "guard_challenged" || got.action != tx {
					t.Errorf("%s, %s:\n%s", got.verdict, got.action, diff)
				}
				if len(got.out) > len(in.Frame()) {
					t.Errorf("%d bytes answered by %d: it amplifies", len(in.Frame()), len(got.out))
				}
				return
			}
		})
	}
}

func TestProof(t *testing.T) {
	f := newSpentFixture(t)
	for i, tt := range []struct {
		name    string
		back    uint64 // epochs ago
		change  func(reset *packet.Packet)
		verdict string
	}{
		{"of this epoch", 0, func(*packet.Packet) {}, "guard_proof"},
		{"of the last epoch", 1, func(*packet.Packet) {}, "guard_proof"},
		{"of the one before", 2, func(*packet.Packet) {}, "guard_false_proof"},
		{"of the next one", 1<<64 - 1, func(*packet.Packet) {}, "guard_false_proof"},
		{"with ACK", 0, func(p *packet.Packet) { p.Flags |= ack }, "guard_proof"},
		{"off by one", 0, func(p *packet.Packet) { p.Seq++ }, "guard_false_proof"},
		{"from another port", 0, func(p *packet.Packet) { p.Src = addrPort(p.Src.Addr().String() + ":9") }, "guard_false_proof"},
		{"from another address", 0, func(p *packet.Packet) { p.Src = addrPort("10.65.0.1:40000") }, "guard_false_proof"},
		{"not a RST", 0, func(p *packet.Packet) { p.Flags = ack }, "guard_unknown_flow"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sub := *f
			sub.TB = t
			opened := tcp(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 64, 1, byte(i)}), 40000).String(), registrar, syn, "")
			for {
				now := epoch()
				reset := opened
				reset.Flags, reset.Seq = rst, challengeOf(opened, now-tt.back)
				tt.change(&reset)
				got := f.run("cl", fromClient(reset).Frame())
				if epoch() != now { // it may have been older than meant
					sub.forget()
					continue
				}
				if got.verdict != tt.verdict || got.action != drop {
					t.Errorf("%s, %s; want %s, drop", got.verdict, got.action, tt.verdict)
				}
				break
			}
			next := "guard_challenged"
			if tt.verdict == "guard_proof" {
				next = "guard_proven"
			}
			if got := sub.run("cl", fromClient(opened).Frame()); got.verdict != next {
				t.Errorf("the next SYN: %s, want %s", got.verdict, next)
			}
		})
	}
}

// prove sends the RST of a client that was challenged just now.
func (f *fixture) prove(opened packet.Packet) {
	f.Helper()
	got := f.run("cl", fromClient(opened).Frame())
	if got.verdict != "guard_challenged" {
		f.Fatalf("SYN: %s, want a challenge", got.verdict)
	}
	challenge, err := packet.Decode(got.out)
	must(f, err)
	reset := opened
	reset.Flags, reset.Seq = rst, challenge.Ack
	f.dropped("the proof", reset, "guard_proof")
}

func TestProvenAddress(t *testing.T) {
	f := newSpentFixture(t)
	opened := tcp(client, registrar, syn, "")
	f.prove(opened)
	f.passes("the SYN again", opened, "guard_proven")
	f.passes("its ACK", tcp(client, registrar, ack, ""), "guard_handshake")
	f.passes("another port of the same host", tcp("10.64.0.1:2", registrar, syn, ""), "guard_proven")
	if got := f.run("cl", fromClient(tcp("10.64.0.2:40000", registrar, syn, "")).Frame()); got.verdict != "guard_challenged" {
		t.Errorf("another host: %s, want a challenge", got.verdict)
	}
	if got := f.run("cl", fromClient(tcp("10.64.0.2:40000", registrar, rst, "")).Frame()); got.verdict != "guard_false_proof" {
		t.Errorf("a RST that answers nothing: %s", got.verdict)
	}

	f.change(func(p *bpf.WeirParameters) { p.Rates[bpf.WeirBudgetBUDGET_PROVEN].Interval = 0 })
	f.dropped("the budget of proven addresses is spent", opened, "guard_global_spent")
	key := netip.MustParseAddr("10.64.0.1").As16()
	must(t, f.maps.Proven.Put(key, binary.NativeEndian.AppendUint64(nil, coarse()-1)))
	if got := f.run("cl", fromClient(opened).Frame()); got.verdict != "guard_challenged" {
		t.Errorf("its time is over: %s, want a challenge", got.verdict)
	}
	f.change(func(p *bpf.WeirParameters) { p.Rates[bpf.WeirBudgetBUDGET_CHALLENGES].Interval = 0 })
	f.dropped("the budget of challenges is spent too", opened, "guard_global_spent")
}

// A SYN may get in and be lost behind the guard; sent again it is challenged, and the answer to that
// must count although its connection is known.
func TestProofOfConnectionThatWasLetIn(t *testing.T) {
	f := newFixture(t)
	opened := tcp(client, registrar, syn, "")
	f.passes("within the budget", opened, "guard_newcomer")
	f.change(func(p *bpf.WeirParameters) { p.Rates[bpf.WeirBudgetBUDGET_NEWCOMERS].Interval = 0 })
	f.prove(opened)
	f.passes("the SYN again", opened, "guard_proven")
}

// A challenge that the client would take for the answer to its SYN is not sent.
func TestChallengeIsNeverTheRightAnswer(t *testing.T) {
	f := newSpentFixture(t)
	opened := tcp(client, registrar, syn, "")
	for {
		now := epoch()
		opened.Seq = challengeOf(opened, now) - 1
		got := f.run("cl", fromClient(opened).Frame())
		if epoch() == now {
			if got.verdict != "guard_global_spent" || !bytes.Equal(got.out, fromClient(opened).Frame()) {
				t.Errorf("%s, want it dropped", got.verdict)
			}
			return
		}
	}
}
