// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/test/packet"
)

func TestGuardInBothFamilies(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		local, peer := addrPort(n.registrar), []netip.AddrPort{addrPort(n.client)}
		from := func(flags packet.Flags, payload string) packet.Packet {
			return tcp(n.client, n.registrar, flags, payload)
		}
		f.dropped("ACK before any SYN", from(ack, ""), "guard_unknown_flow")
		f.dropped("SYN-ACK", from(synAck, ""), "guard_unknown_flow")
		f.dropped("FIN", from(fin|ack, ""), "guard_unknown_flow")
		f.dropped("RST", from(rst, ""), "guard_false_proof")
		f.passes("SYN", from(syn, ""), "guard_newcomer")
		f.passes("ACK", from(ack, ""), "guard_handshake")
		f.passes("data", from(ack|packet.PSH, "client hello"), "guard_handshake")
		f.dropped("another port meanwhile", tcp(n.other, n.registrar, ack, ""), "guard_unknown_flow")
		f.passes("the last packet of its budget", from(fin|ack, ""), "guard_handshake")
		f.dropped("one more", from(ack, "data"), "guard_flow_spent")
		must(t, f.guard.Admit(local, peer, time.Now().Add(time.Hour)))
		f.passes("once it is admitted", from(ack, "data"), "guard_admitted")
		f.passes("a SYN of the session's port", from(syn, ""), "guard_admitted")
		f.dropped("another port of the host", tcp(n.other, n.registrar, ack, ""), "guard_unknown_flow")
		must(t, f.guard.Revoke(local, peer))
		f.dropped("once it is revoked", from(ack, "data"), "guard_flow_spent")
	})
}

func TestWhatIsNoStrangersTCPInBothFamilies(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		for _, flags := range []packet.Flags{0, fin, packet.PSH, syn | fin, syn | rst, rst | fin, 0xff} {
			f.dropped("flags "+flags.String(), tcp(n.client, n.registrar, flags, ""), "guard_malformed")
		}
		for what, p := range map[string]packet.Packet{
			"a datagram": packet.NewUDP(n.client, n.registrar, []byte("query")),
			"SCTP":       packet.NewSCTP(n.client, n.registrar, 0, packet.Init(7)),
			"UDP-Lite":   udpLite(n.client, n.registrar, 8, "query"),
			"DCCP":       packet.New(packet.DCCP, n.client, n.registrar),
		} {
			f.dropped(what, p, "guard_not_tcp")
		}
		fragment := with(tcp(n.client, n.registrar, syn, "12345678"), func(p *packet.Packet) { p.DontFragment, p.MoreFragments = false, true })
		f.dropped("a first fragment", fragment, "guard_fragment")
		f.passes("the registrar's host", tcp(n.client, withPort(n.registrar, 22), syn, ""), "not_ours")
		f.passes("ping", packet.NewICMP(addrPort(n.client).Addr().String(), addrPort(n.registrar).Addr().String(), map[string]uint8{"IPv4": 8, "IPv6": 128}[n.name], 0), "not_ours")
	})
}

// What the guard reads lies behind extension headers, too.
func TestGuardBehindExtensionHeaders(t *testing.T) {
	f := newFixture(t)
	for i, e := range []packet.Extension{hopByHop(), dstOpts(), routing(0), ah(), atomic()} {
		at := fmt.Sprintf("[fd64::1]:%d", 1000+i)
		what := fmt.Sprintf("extension header %d", e.Type)
		f.dropped("ACK, "+what, withExtensions(tcp(at, registrar6, ack, ""), e), "guard_unknown_flow")
		f.passes("SYN, "+what, withExtensions(tcp(at, registrar6, syn, ""), e), "guard_newcomer")
		f.passes("its ACK, "+what, withExtensions(tcp(at, registrar6, ack, ""), e), "guard_handshake")
	}
}

// challengeOf6 is challengeOf in IPv6: a MAC over five words.
func challengeOf6(p packet.Packet, epoch uint64) uint32 {
	words := append(words(p.Src.Addr()), words(p.Dst.Addr())...)
	return uint32(sipHashOf(guardKey(), append(words,
		word16(p.Src.Port())<<48|word16(p.Dst.Port())<<32|epoch&0xffffff<<8|uint64(p.Protocol))...))
}

func TestChallenge6(t *testing.T) {
	f := newSpentFixture(t)
	labelled := tcp("[fd64::5]:5", registrar6, syn|packet.ECE|packet.CWR, "")
	labelled.TOS, labelled.FlowLabel, labelled.TTL, labelled.Urgent = 0xb8, 0xabcde, 3, 9
	for name, p := range map[string]packet.Packet{
		"plain":             tcp("[fd64::1]:65535", registrar6, syn, ""),
		"data":              tcp("[fd64::4]:4", registrar6, syn, "fast open"),
		"extension headers": withExtensions(tcp("[fd64::6]:6", registrar6, syn, ""), hopByHop(), dstOpts()),
		"one VLAN tag":      tcp("[fd64::7]:7", registrar6, syn, "").Tagged(100),
		"two VLAN tags":     tcp("[fd64::8]:8", registrar6, syn, "").Tagged(7, 100),
		"all fields used":   labelled,
	} {
		t.Run(name, func(t *testing.T) {
			in := fromClient(p)
			var now uint64
			var got outcome
			for now = 0; now != epoch(); {
				now = epoch()
				got = f.run("cl", in.Frame())
			}
			want := answer(in, synAck, 0, challengeOf6(in, now))
			want.Tags = p.Tags
			if diff := packet.Diff(want.Frame(), got.out); diff != "" || got.verdict != "guard_challenged" || got.action != tx {
				t.Errorf("%s, %s:\n%s", got.verdict, got.action, diff)
			}
		})
	}
}

func TestProof6(t *testing.T) {
	f := newSpentFixture(t)
	opened := tcp(client6, registrar6, syn, "")
	f.prove(opened)
	f.passes("the SYN again", opened, "guard_proven")
	f.passes("its ACK", tcp(client6, registrar6, ack, ""), "guard_handshake")
	f.passes("another port of the same host", tcp("[fd64::1]:2", registrar6, syn, ""), "guard_proven")
	f.dropped("a RST that answers nothing", tcp("[fd64::2]:40000", registrar6, rst, ""), "guard_false_proof")
	if got := f.run("cl", fromClient(tcp("[fd64::2]:40000", registrar6, syn, "")).Frame()); got.verdict != "guard_challenged" {
		t.Errorf("another host of its network: %s, want a challenge", got.verdict)
	}
}

// A source is a /64: one host may have all of its addresses.
func TestSourceBudget6(t *testing.T) {
	f := newFixture(t)
	for {
		f.change(func(p *bpf.WeirParameters) { p.SourcePerSecond = 5; p.GuardKey[0]++ })
		f.forget()
		second := coarse() / uint64(time.Second)
		got := map[string]int{}
		for host := range 9 {
			got[f.run("cl", fromClient(tcp(fmt.Sprintf("[fd64::%x]:1", 1+host), registrar6, syn, "")).Frame()).verdict]++
		}
		other := f.run("cl", fromClient(tcp("[fd64:0:0:1::1]:1", registrar6, syn, "")).Frame())
		if coarse()/uint64(time.Second) != second {
			continue
		}
		if want := map[string]int{"guard_newcomer": 5, "guard_source_spent": 4}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("9 SYNs of one network: %v, want %v", got, want)
		}
		if other.verdict != "guard_newcomer" {
			t.Errorf("another network: %s", other.verdict)
		}
		return
	}
}
