// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/gopacket/gopacket/layers"

	"github.com/weir-lb/weir/bpf"
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
	var got outcome
	f.runEach(from, [][]byte{frame}, func(_ int, o outcome) { got = o })
	return got
}

// runEach runs the frames one after another, as run does, and shows each outcome.
func (f *fixture) runEach(from string, frames [][]byte, see func(i int, got outcome)) {
	f.Helper()
	before := f.counts()
	f.inside(func() error {
		for i, frame := range frames {
			opts := ebpf.RunOptions{
				Data: frame, DataOut: make([]byte, len(frame)+256), Repeat: 1,
				Context: &xdpMd{DataEnd: uint32(len(frame)), IngressIfindex: f.ifindex[from]},
			}
			ret, err := f.program.Run(&opts)
			if err != nil {
				return err
			}
			after := f.counts()
			got := outcome{verdict: "none", action: action(ret), out: opts.DataOut}
			f.judge(&got, len(frame), before, after)
			before = after
			see(i, got)
		}
		return nil
	})
}

// judge finds the verdict of a frame of so many bytes in the counters.
func (f *fixture) judge(got *outcome, bytes int, before, after []bpf.WeirCount) {
	f.Helper()
	moved := 0
	for i := range after {
		n, size := after[i].Packets-before[i].Packets, after[i].Bytes-before[i].Bytes
		if n == 0 && size == 0 {
			continue
		}
		moved++
		got.verdict = f.verdicts[i].Name
		if n != 1 || size != uint64(bytes) {
			f.Errorf("%s counted %d packets and %d bytes for one of %d bytes", got.verdict, n, size, bytes)
		}
		if shown := f.verdicts[i].Action; string(shown) != got.action.String() && (shown != maps.Redirect || got.action != tx) {
			f.Errorf("%s is shown as %s, but the program said %s", got.verdict, f.verdicts[i].Action, got.action)
		}
	}
	if moved != 1 {
		f.Errorf("%d verdicts were counted for one packet, want 1", moved)
	}
}

// counts sums the counters of all CPUs, read at once.
func (f *fixture) counts() []bpf.WeirCount {
	f.Helper()
	n, cpus := len(f.verdicts), ebpf.MustPossibleCPU()
	keys, each, sums := make([]uint32, n), make([]bpf.WeirCount, n*cpus), make([]bpf.WeirCount, n)
	var cursor ebpf.MapBatchCursor
	if _, err := f.maps.Counters.BatchLookup(&cursor, keys, each, nil); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		f.Fatal(err)
	}
	for i, c := range each {
		sums[keys[i/cpus]].Packets += c.Packets
		sums[keys[i/cpus]].Bytes += c.Bytes
	}
	return sums
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

// check runs a row of the specification: the packet, and then what every packet is put to (see mutate).
func (f *fixture) check(s spec) {
	f.Helper()
	f.expect(s)
	if rows.add(f.Name(), s.name) {
		f.mutate(s)
	}
}

// expect runs the packet alone. The out of a row is a packet built anew, checksums and all.
func (f *fixture) expect(s spec) {
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
	p.SrcMAC, p.DstMAC = hardware(beMAC), macOf(p.Dst.Addr())
	p.TTL--
	return p
}

// fromElement is a packet as the element sends it to the gateway.
func fromElement(p packet.Packet) packet.Packet {
	p.SrcMAC, p.DstMAC = macOf(p.Src.Addr()), hardware(beMAC)
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
