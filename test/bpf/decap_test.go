// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/test/packet"
	"github.com/weir-lb/weir/test/require"
)

// receiver is the program at an element, with the addresses and VIPs of the gateway's fixture.
type receiver struct {
	testing.TB
	objects bpf.DecapObjects
}

// newReceiver takes GUE at a port, or IP in IP if it is 0.
func newReceiver(t testing.TB, guePort uint16) *receiver {
	t.Helper()
	require.Need(t, require.Root, require.BPF)
	spec, err := bpf.LoadDecap()
	must(t, err)
	must(t, spec.Variables["gue_port"].Set(networkOrder(guePort)))
	r := &receiver{TB: t}
	must(t, spec.LoadAndAssign(&r.objects, nil))
	t.Cleanup(func() { must(t, r.objects.Close()) })
	for _, s := range []string{vip, vip6} {
		must(t, r.objects.Vips.Put(sixteen(s), uint8(1)))
	}
	for _, s := range []string{element41, element61} {
		must(t, r.objects.Locals.Put(sixteen(s), uint8(1)))
	}
	return r
}

func networkOrder(port uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], port)
	return binary.NativeEndian.Uint16(b[:])
}

func sixteen(s string) netip.Addr { return netip.AddrFrom16(addrPort(s).Addr().As16()) }

var receiptNames = [...]string{"other", "taken", "strange", "malformed", "congested"}

// run gives the program a frame, and tells what it counted, what it said and what became of the frame.
func (r *receiver) run(frame []byte) outcome {
	r.Helper()
	before := r.counts()
	opts := ebpf.RunOptions{Data: frame, DataOut: make([]byte, len(frame)+256), Repeat: 1}
	ret, err := r.objects.Decap.Run(&opts)
	must(r, err)
	got := outcome{action: action(ret), out: opts.DataOut}
	for i, n := range r.counts() {
		if n != before[i] {
			got.verdict += receiptNames[i]
		}
	}
	return got
}

func (r *receiver) counts() (all [len(receiptNames)]uint64) {
	r.Helper()
	for i := range all {
		var each []uint64
		must(r, r.objects.Receipts.Lookup(uint32(i), &each))
		for _, n := range each {
			all[i] += n
		}
	}
	return all
}

// check runs a row: what comes out, or nil if the frame stays as it is.
func (r *receiver) check(name string, frame []byte, receipt string, out []byte) {
	r.Helper()
	got := r.run(frame)
	want := outcome{verdict: receipt, action: pass, out: out}
	if receipt == "congested" {
		want.action = drop
	}
	if got.verdict != want.verdict || got.action != want.action {
		r.Errorf("%s: %s, %s; want %s, %s", name, got.verdict, got.action, want.verdict, want.action)
	}
	if out == nil {
		want.out = frame
	}
	if diff := packet.Diff(want.out, got.out); diff != "" {
		r.Errorf("%s: the packet is another:\n%s", name, diff)
	}
}

// forms are the tunnels of a receiver.
func forms(gue bool) map[string]func(inner, outer packet.Packet) packet.Packet {
	if gue {
		return map[string]func(inner, outer packet.Packet) packet.Packet{"GUE variant 1": packet.Packet.DirectGUE, "GUE variant 0": packet.Packet.GUE}
	}
	return map[string]func(inner, outer packet.Packet) packet.Packet{"IP in IP": packet.Packet.In}
}

// outerTo is a gateway's outer header.
func outerTo(element string, port uint16) packet.Packet {
	source := source4
	if addrPort(element).Addr().Is6() {
		source = source6
	}
	p := packet.New(packet.UDP, netip.AddrPortFrom(netip.MustParseAddr(source), 50000).String(), netip.AddrPortFrom(addrPort(element).Addr(), port).String())
	p.SrcMAC, p.DstMAC = hardware(beMAC), hardware(elementMAC(1))
	p.NoUDPChecksum = true
	return p
}

// inFrame is the inner packet as the element's stack gets it.
func inFrame(p packet.Packet) []byte {
	p.SrcMAC, p.DstMAC, p.Tags = hardware(beMAC), hardware(elementMAC(1)), nil
	return p.Frame()
}

func TestDecapsulation(t *testing.T) {
	for _, port := range []uint16{0, 6080} {
		r := newReceiver(t, port)
		for form, in := range forms(port != 0) {
			for _, element := range []string{element41, element61} {
				for name, p := range tunnelRows() {
					p.Tags = nil
					outer := outerTo(element, 6080)
					outer.TOS = p.TOS
					r.check(fmt.Sprintf("%s to %s in %s", name, element, form), in(p, outer).Frame(), "taken", inFrame(p))
				}
				for _, inner := range []string{vip, vip6} {
					r.tunnel(form, in, element, inner)
				}
			}
		}
	}
}

// tunnel checks one form of one pair of families.
func (r *receiver) tunnel(form string, in func(inner, outer packet.Packet) packet.Packet, element, to string) {
	r.Helper()
	from, stranger := client, "10.0.100.9:80"
	if addrPort(to).Addr().Is6() {
		from, stranger = client6, "[fd00:100::9]:80"
	}
	inner, outer := segment(from, to, 20), outerTo(element, 6080)
	name := func(what string) string { return fmt.Sprintf("%s: %s to %s by %s", what, form, element, to) }
	good := in(inner, outer).Frame()
	r.check(name("Ethernet's padding is kept"), append(good[:len(good):len(good)], 0, 0, 0), "taken", append(inFrame(inner), 0, 0, 0))
	r.check(name("not for a VIP"), in(segment(from, stranger, 20), outer).Frame(), "strange", nil)
	elsewhere := outer
	elsewhere.Dst = netip.AddrPortFrom(outer.Src.Addr(), outer.Dst.Port())
	r.check(name("not for this host"), in(inner, elsewhere).Frame(), "other", nil)
	if !outer.Is6() {
		options := withOptions(outer)
		r.check(name("outer options"), in(inner, options).Frame(), "other", nil)
		fragment := with(outer, func(p *packet.Packet) { p.DontFragment, p.MoreFragments = false, true })
		r.check(name("an outer fragment"), in(inner, fragment).Frame(), "other", nil)
		r.check(name("a damaged outer header"), packet.BadIPChecksum(good), "malformed", nil)
	}
	r.truncated(name, good)
	r.ecn(name, in, inner, outer)
}

// truncated checks that a packet cut anywhere, so that its lengths say more than there is, stays as it is.
func (r *receiver) truncated(name func(string) string, good []byte) {
	r.Helper()
	for size := 14; size < len(good); size++ {
		r.check(name(fmt.Sprintf("cut at %d", size)), good[:size], "malformed", nil)
	}
}

// RFC 6040 4.2, figure 4.
func (r *receiver) ecn(name func(string) string, in func(inner, outer packet.Packet) packet.Packet, inner, outer packet.Packet) {
	r.Helper()
	const dropped = 0xff
	want := [4][4]uint8{ // inner, outer
		{0, 0, 0, dropped},
		{1, 1, 1, 3},
		{2, 1, 2, 3},
		{3, 3, 3, 3},
	}
	for i := range uint8(4) {
		for o := range uint8(4) {
			inner.TOS, outer.TOS = 0xb8|i, 0x28|o
			what := name(fmt.Sprintf("ECN %d inside, %d outside", i, o))
			if want[i][o] == dropped {
				r.check(what, in(inner, outer).Frame(), "congested", nil)
				continue
			}
			out := inner
			out.TOS = 0xb8 | want[i][o]
			r.check(what, in(inner, outer).Frame(), "taken", inFrame(out))
		}
	}
}

// What is inside must fit what is around it, and be what that says.
func TestDecapsulationOfNonsense(t *testing.T) {
	for _, element := range []string{element41, element61} {
		size := packet.OffsetTransport
		if addrPort(element).Addr().Is6() {
			size = packet.OffsetTransport6
		}
		ipip, gue := newReceiver(t, 0), newReceiver(t, 6080)
		inner, inner6 := segment(client, vip, 20), segment(client6, vip6, 20)
		set := func(frame []byte, at int, value byte) []byte {
			frame = append([]byte(nil), frame...)
			frame[at] = value
			return frame
		}
		in4, in6 := inner.In(outerTo(element, 0)).Frame(), inner6.In(outerTo(element, 0)).Frame()
		direct, behind := inner.DirectGUE(outerTo(element, 6080)).Frame(), inner.GUE(outerTo(element, 6080)).Frame()
		for _, tt := range []struct {
			name    string
			at      *receiver
			frame   []byte
			receipt string
		}{
			{"IPv4 that says IPv6", ipip, set(in4, size, 0x65), "malformed"},
			{"IPv6 that says IPv4", ipip, set(in6, size, 0x45), "malformed"},
			{"an inner header of 16 bytes", ipip, set(in4, size, 0x44), "malformed"},
			{"an inner header longer than its packet", ipip, set(set(in4, size, 0x4f), size+3, 50), "malformed"},
			{"an inner packet longer than the outer one", ipip, set(in4, size+2, 1), "malformed"},
			{"an inner packet one byte longer than the outer one", ipip, set(in4, size+3, 61), "malformed"},
			{"an inner IPv6 packet one byte longer than the outer one", ipip, set(in6, size+5, 41), "malformed"},
			{"an inner IPv6 packet longer than the outer one", ipip, set(in6, size+4, 1), "malformed"},
			{"an inner packet shorter than the outer one", ipip, set(in4, size+3, 40), "taken"},
			{"GUE where IP in IP is taken", ipip, direct, "other"},
			{"IP in IP where GUE is taken", gue, in4, "other"},
			{"another port", gue, inner.DirectGUE(outerTo(element, 6081)).Frame(), "other"},
			{"with a checksum", gue, set(direct, size+7, 1), "other"},
			{"UDP length beyond the packet", gue, set(direct, size+4, 1), "malformed"},
			{"UDP length without an IP header", gue, set(direct, size+5, 27), "malformed"},
			{"inner beyond UDP's length", gue, set(direct, size+5, 30), "malformed"},
			{"a control message", gue, set(behind, size+8, 0x20), "malformed"},
			{"an extension", gue, set(behind, size+8, 0x01), "malformed"},
			{"another version", gue, set(behind, size+8, 0x80), "malformed"},
			{"a flag", gue, set(behind, size+11, 1), "malformed"},
			{"another protocol", gue, set(behind, size+9, packet.TCP), "strange"},
			{"IPv6 behind a header for IPv4", gue, set(inner6.GUE(outerTo(element, 6080)).Frame(), size+9, packet.IPIP), "malformed"},
			{"no tunnel", ipip, inner.Frame(), "other"},
			{"no tunnel to the element", ipip, segment(client, element41, 20).Frame(), "other"},
			{"UDP to the element", gue, fromClient(packet.NewUDP(client, "10.0.20.1:53", []byte("query"))).Frame(), "other"},
			{"ARP", ipip, append(make([]byte, 12), 8, 6, 0, 1), "other"},
		} {
			t.Run(strings.ReplaceAll(tt.name, " ", "_"), func(t *testing.T) {
				at := *tt.at
				at.TB = t
				out := []byte(nil)
				if tt.receipt == "taken" {
					out = append(tt.frame[:12:12], 8, 0)
					out = append(out, tt.frame[size:]...)
				}
				at.check(tt.name, tt.frame, tt.receipt, out)
			})
		}
	}
}
