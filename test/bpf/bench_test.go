// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/test/packet"
)

// frameLen is a TCP segment's without options or data: what restoring writes before each run.
const frameLen = 54

// BenchmarkProgram times whole programs as the kernel does (BPF_PROG_TEST_RUN): the median of
// rounds of a million packets, each beside a round of a bare XDP_DROP and of the restoring alone,
// on one core. ns/packet is without the restoring; x-drop is how many bare XDP_DROPs that is.
func BenchmarkProgram(b *testing.B) {
	established := fromClient(tcp(client, vip, packet.ACK, ""))
	for _, bb := range []struct {
		name    string
		frame   []byte
		ports   uint16 // the client's ports are spread over so many; a power of two, 0: they are not
		verdict string
	}{
		{"not ours", fromClient(tcp(client, "10.0.20.1:80", packet.ACK, "")).Frame(), 0, "not_ours"},
		{"established, 1 flow", established.Frame(), 0, "steer_forward"},
		{"established, 16384 flows", established.Frame(), 16384, "steer_forward"},
		{"guard, admitted", fromClient(tcp(client, registrar, packet.ACK, "")).Frame(), 0, "guard_admitted"},
		{"guard, challenged", fromClient(tcp("10.64.0.9:1", registrar, packet.SYN, "")).Frame(), 0, "guard_challenged"},
		{"guard, unknown flow", fromClient(tcp("10.64.0.9:1", registrar, packet.ACK, "")).Frame(), 0, "guard_unknown_flow"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			f := newBenchFixture(b)
			bare := loadXDP(b, dropInstructions())
			restored := f.restoring(bb.frame, bb.ports, bare)
			subject := f.restoring(bb.frame, bb.ports, f.program)
			f.run("cl", bb.frame) // so that a flow is there
			if got := f.run("cl", bb.frame).verdict; got != bb.verdict {
				b.Fatalf("%s, want %s", got, bb.verdict)
			}
			f.inside(func() error { return onOneCore(func() error { return measure(b, bb.frame, subject, restored, bare) }) })
		})
	}
}

func newBenchFixture(b *testing.B) *fixture {
	f := newFixture(b)
	f.pool(web(), element1)
	f.hops(web())
	must(b, f.guard.Admit(addrPorts(registrar)[0], addrPorts(client), time.Now().Add(time.Hour)))
	f.change(func(p *bpf.WeirParameters) {
		p.SourcePerSecond = 1<<32 - 1
		p.Rates[bpf.WeirBudgetBUDGET_NEWCOMERS].Interval = 0
		p.Rates[bpf.WeirBudgetBUDGET_CHALLENGES].Interval, p.Rates[bpf.WeirBudgetBUDGET_CHALLENGES].Burst = 1, uint64(time.Hour)
	})
	return f
}

// measure reports the medians of what b.Loop asked for, 5 rounds each time.
func measure(b *testing.B, frame []byte, subject, restored, bare *ebpf.Program) error {
	const rounds, repeat = 5, 1_000_000
	var times [3][]float64
	for b.Loop() {
		for range rounds {
			for i, p := range []*ebpf.Program{subject, restored, bare} {
				_, each, err := p.Benchmark(frame, repeat, nil)
				if err != nil {
					return err
				}
				times[i] = append(times[i], float64(each.Nanoseconds()))
			}
		}
	}
	for i := range times {
		slices.Sort(times[i])
	}
	median := func(i int) float64 { return times[i][len(times[i])/2] }
	net := median(0) - median(1) + median(2)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(net, "ns/packet")
	b.ReportMetric(median(2), "ns/drop")
	b.ReportMetric(net/median(2), "x-drop")
	return nil
}

// onOneCore runs do on the last core that this thread may use. The caller has locked the thread.
func onOneCore(do func() error) error {
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	for cpu := range 1024 {
		if all.IsSet(cpu) {
			one.Zero()
			one.Set(cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return err
	}
	defer func() { _ = unix.SchedSetaffinity(0, &all) }()
	return do()
}

func loadXDP(t testing.TB, instructions asm.Instructions) *ebpf.Program {
	t.Helper()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.XDP, AttachType: ebpf.AttachXDP, License: "Dual BSD/GPL", Instructions: instructions})
	must(t, err)
	t.Cleanup(func() { p.Close() })
	return p
}

func dropInstructions() asm.Instructions {
	return asm.Instructions{asm.Mov.Imm(asm.R0, int32(drop)), asm.Return()}
}

// restoring is a program that writes the frame's first bytes anew and goes on with next: test runs
// use one packet again and again, as the last run left it.
func (f *fixture) restoring(frame []byte, ports uint16, next *ebpf.Program) *ebpf.Program {
	f.Helper()
	jump, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.ProgramArray, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	must(f, err)
	f.Cleanup(func() { jump.Close() })
	must(f, jump.Put(uint32(0), next))
	const data, end, word = asm.R7, asm.R8, asm.R3
	i := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(data, asm.R6, 0, asm.Word),
		asm.LoadMem(end, asm.R6, 4, asm.Word),
		asm.Mov.Reg(asm.R2, data),
		asm.Add.Imm(asm.R2, frameLen),
		asm.JGT.Reg(asm.R2, end, "out"),
	}
	for at := 0; at+8 <= frameLen; at += 8 {
		i = append(i, asm.LoadImm(word, int64(binary.NativeEndian.Uint64(frame[at:])), asm.DWord), asm.StoreMem(data, int16(at), word, asm.DWord))
	}
	for at := frameLen &^ 7; at < frameLen; at += 2 {
		i = append(i, asm.Mov.Imm(word, int32(binary.NativeEndian.Uint16(frame[at:]))), asm.StoreMem(data, int16(at), word, asm.Half))
	}
	if ports > 0 {
		i = append(i, asm.FnGetPrandomU32.Call(), asm.And.Imm(asm.R0, int32(ports-1)),
			asm.StoreMem(data, packet.OffsetTransport, asm.R0, asm.Half))
	}
	return loadXDP(f, append(i,
		asm.Mov.Reg(asm.R1, asm.R6), asm.LoadMapPtr(asm.R2, jump.FD()), asm.Mov.Imm(asm.R3, 0), asm.FnTailCall.Call(),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("out"), asm.Return(),
	))
}
