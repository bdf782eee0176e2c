// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/bpf"
)

// testClock has ticks of 1.024 s, and cannot be read.
func testClock() Clock { return NewClock(250, nil) }

// newClock is the kernel's, as if it had 250 jiffies a second.
func newClock(t *testing.T) Clock {
	t.Helper()
	spec := newSpec(t)
	must(t, spec.Variables["tick_shift"].Set(uint32(TickShift(250))))
	var programs struct {
		Tick *ebpf.Program `ebpf:"tick"`
	}
	must(t, spec.LoadAndAssign(&programs, nil))
	t.Cleanup(func() { programs.Tick.Close() })
	return NewClock(250, programs.Tick)
}

// A tick is about a second with whatever frequency a kernel has (kernel/Kconfig.hz and others).
func TestTickIsAboutASecond(t *testing.T) {
	for _, hertz := range []int{24, 48, 100, 128, 200, 250, 256, 300, 500, 512, 1000, 1024} {
		c := NewClock(hertz, nil)
		tick := float64(uint(1)<<c.Shift) / float64(hertz)
		if tick < 0.7 || tick > 1.42 {
			t.Errorf("%d Hz: a tick of %.2f s", hertz, tick)
		}
		if n := c.ticks(MaxIdle); n == maxTicks || float64(n)*tick < MaxIdle.Seconds() {
			t.Errorf("%d Hz: the longest timeout has %d ticks", hertz, n)
		}
	}
}

func TestTicksOfTimeouts(t *testing.T) {
	for d, want := range map[time.Duration]uint16{
		0: 1, time.Nanosecond: 1, time.Second: 1, 1024 * time.Millisecond: 1, 1025 * time.Millisecond: 2, 10 * time.Second: 10,
		time.Hour: 3516, 1000 * time.Hour: maxTicks,
	} {
		if got := testClock().ticks(d); got != want {
			t.Errorf("%v: %d ticks, want %d", d, got, want)
		}
	}
}

// The kernel's clock goes with jiffies: twice as many to the tick are half as many ticks.
func TestClockReadsJiffies(t *testing.T) {
	c := newClock(t)
	jiffies, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.Syscall, Flags: unix.BPF_F_SLEEPABLE, License: "GPL", Instructions: asm.Instructions{asm.FnJiffies64.Call(), asm.Return()},
	})
	must(t, err)
	defer jiffies.Close()
	before, err := jiffies.Run(&ebpf.RunOptions{})
	must(t, err)
	now, err := c.tick()
	must(t, err)
	after, err := jiffies.Run(&ebpf.RunOptions{})
	must(t, err)
	// jiffies are returned without their upper half: of the ticks 24 bits are known.
	if first, last := uint16(before>>c.Shift), uint16(after>>c.Shift); now-first > last-first {
		t.Errorf("tick %d between %d and %d", now, first, last)
	}
}

func TestTimeoutsByClassAndState(t *testing.T) {
	got := testTimeouts().states(testClock())
	const (
		tcp, opening, closing, udp = 40, 20, 10, 30
	)
	for class, established := range map[bpf.WeirFlowClass]uint16{
		bpf.WeirFlowClassFLOW_TCP: tcp, bpf.WeirFlowClassFLOW_UDP: udp, bpf.WeirFlowClassFLOW_SCTP: udp, bpf.WeirFlowClassFLOW_DCCP: udp,
	} {
		want := [bpf.WeirFlowStateFLOW_STATES]uint16{
			bpf.WeirFlowStateFLOW_OPENING: opening, bpf.WeirFlowStateFLOW_ANSWERED: opening, bpf.WeirFlowStateFLOW_ESTABLISHED: established,
			bpf.WeirFlowStateFLOW_CLIENT_CLOSED: established, bpf.WeirFlowStateFLOW_ELEMENT_CLOSED: established,
			bpf.WeirFlowStateFLOW_CLOSED: closing, bpf.WeirFlowStateFLOW_RESET: closing,
		}
		if got[class] != want {
			t.Errorf("class %d: %v, want %v", class, got[class], want)
		}
	}
}

// testTimeouts are 40, 20, 10 and 30 ticks of the test's clock.
func testTimeouts() Timeouts {
	tick := 1024 * time.Millisecond
	return Timeouts{TCP: 40 * tick, Opening: 20 * tick, Closing: 10 * tick, UDP: 30 * tick}
}
