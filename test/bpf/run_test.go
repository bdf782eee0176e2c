// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/gopacket/gopacket/layers"

	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/packet"
)

// action is what the kernel does with a packet (enum xdp_action).
type action uint32

const (
	drop     action = 1
	pass     action = 2
	tx       action = 3
	redirect action = 4
)

func (a action) String() string {
	return [...]string{"aborted", "drop", "pass", "tx", "redirect"}[a]
}

// outcome is all that a run of the program tells.
type outcome struct {
	verdict string
	action  action
	out     []byte
}

// xdpMd is the kernel's struct xdp_md.
type xdpMd struct {
	Data, DataEnd, DataMeta, IngressIfindex, RxQueueIndex, EgressIfindex uint32
}

// run gives the program a frame that came in on an interface. It fails the test unless exactly one
// verdict was counted, once, with the frame's bytes, and unless the action is the one that
// package maps shows for it.
func (f *fixture) run(from string, frame []byte) outcome {
	f.Helper()
	before := f.counts()
	got := outcome{verdict: "none"}
	opts := ebpf.RunOptions{
		Data: frame, DataOut: make([]byte, len(frame)+256), Repeat: 1,
		Context: &xdpMd{DataEnd: uint32(len(frame)), IngressIfindex: f.ifindex[from]},
	}
	f.inside(func() error {
		ret, err := f.program.Run(&opts)
		got.action, got.out = action(ret), opts.DataOut
		return err
	})
	moved := 0
	for i, after := range f.counts() {
		packets, bytes := after.Packets-before[i].Packets, after.Bytes-before[i].Bytes
		if packets == 0 && bytes == 0 {
			continue
		}
		moved++
		got.verdict = after.Name
		if packets != 1 || bytes != uint64(len(frame)) {
			f.Errorf("%s counted %d packets and %d bytes for one of %d bytes", after.Name, packets, bytes, len(frame))
		}
		if string(after.Action) != got.action.String() {
			f.Errorf("%s is shown as %s, but the program said %s", after.Name, after.Action, got.action)
		}
	}
	if moved != 1 {
		f.Errorf("%d verdicts were counted for one packet, want 1", moved)
	}
	return got
}

func (f *fixture) counts() []maps.Count {
	f.Helper()
	counts, err := maps.ReadCounts(f.maps)
	must(f, err)
	return counts
}

// spec is one row of the specification. out nil: the packet stays as it was.
type spec struct {
	name    string
	from    string // interface
	in      []byte
	verdict string
	action  action
	out     []byte
}

// check runs a row. The out of a row is a packet built anew, checksums and all.
func (f *fixture) check(s spec) {
	f.Helper()
	got := f.run(s.from, s.in)
	if got.verdict != s.verdict || got.action != s.action {
		f.Errorf("%s: %s, %s; want %s, %s", s.name, got.verdict, got.action, s.verdict, s.action)
	}
	want := s.out
	if want == nil {
		want = s.in
	}
	if diff := packet.Diff(want, got.out); diff != "" {
		f.Errorf("%s: the packet is another:\n%s", s.name, diff)
	}
}

// checkAll runs each row as a subtest, on empty tables.
func (f *fixture) checkAll(t *testing.T, rows []spec) {
	for _, row := range rows {
		t.Run(strings.ReplaceAll(row.name, " ", "_"), func(t *testing.T) {
			sub := *f
			sub.TB = t
			sub.forget()
			sub.check(row)
		})
	}
}

// fromClient is a packet as the clients' router sends it to the gateway.
func fromClient(p packet.Packet) packet.Packet {
	p.SrcMAC, p.DstMAC = hardware(routerMAC), hardware(clMAC)
	return p
}

// toElement is the client's packet as the element gets it from the gateway.
func toElement(p packet.Packet, element string) packet.Packet {
	p.Dst = addrPort(element)
	p.SrcMAC, p.DstMAC = hardware(beMAC), hardware(elementMAC(p.Dst.Addr().As4()[3]))
	p.TTL--
	return p
}

// fromElement is a packet as the element sends it to the gateway.
func fromElement(p packet.Packet) packet.Packet {
	p.SrcMAC, p.DstMAC = hardware(elementMAC(p.Src.Addr().As4()[3])), hardware(beMAC)
	return p
}

// toClient is the element's packet as the clients' router gets it from the gateway.
func toClient(p packet.Packet, vip string) packet.Packet {
	p.Src = addrPort(vip)
	p.SrcMAC, p.DstMAC = hardware(clMAC), hardware(routerMAC)
	p.TTL--
	return p
}

// answer is the 40 bytes that the gateway answers a segment with.
func answer(to packet.Packet, flags packet.Flags, seq, ack uint32) packet.Packet {
	p := packet.NewTCP(to.Dst.String(), to.Src.String(), flags)
	p.SrcMAC, p.DstMAC = to.DstMAC, to.SrcMAC
	p.Seq, p.Ack, p.Window = seq, ack, 0
	return p
}

func addrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func tcp(src, dst string, flags packet.Flags, payload string) packet.Packet {
	p := packet.NewTCP(src, dst, flags)
	p.Seq, p.Payload = 0x11223344, []byte(payload)
	if flags&packet.ACK != 0 {
		p.Ack = 0x55667788
	}
	return p
}

// withOptions is the packet with an IP header of 24 bytes (router alert).
func withOptions(p packet.Packet) packet.Packet {
	p.IPOptions = []layers.IPv4Option{{OptionType: 148, OptionLength: 4, OptionData: []byte{0, 0}}}
	return p
}

func addrPorts(list ...string) []netip.AddrPort {
	var found []netip.AddrPort
	for _, s := range list {
		found = append(found, addrPort(s))
	}
	return found
}
