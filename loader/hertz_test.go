// SPDX-License-Identifier: Apache-2.0

package loader

import (
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/test/require"
)

// Every CONFIG_HZ there is (kernel/Kconfig.hz, and those of arch/), each rounded as the kernel does.
func TestHertzOf(t *testing.T) {
	for _, hertz := range []int{24, 48, 64, 100, 128, 200, 250, 256, 300, 500, 512, 1000, 1024, 1200} {
		jiffy := (int(time.Second) + hertz/2) / hertz
		if got := hertzOf(time.Duration(jiffy)); got != hertz {
			t.Errorf("a jiffy of %d ns is of %d Hz, want %d", jiffy, got, hertz)
		}
	}
	for _, none := range []time.Duration{0, -1, 3 * time.Second} {
		if got := hertzOf(none); got != 0 {
			t.Errorf("a jiffy of %v is of %d Hz, want none", none, got)
		}
	}
}

// What the kernel says of its jiffies is what programs see: as many pass as the time between two looks
// allows, however late this test is woken.
func TestKernelHertzIsThatOfPrograms(t *testing.T) {
	require.Need(t, require.Root, require.BPF)
	hertz, err := kernelHertz()
	if err != nil {
		t.Fatal(err)
	}
	look := jiffiesClock(t)
	before := time.Now()
	first := look()
	after := time.Now()
	time.Sleep(500 * time.Millisecond) // a kernel's time is what is tested
	least := time.Since(after).Seconds()
	passed := float64(look() - first)
	most := time.Since(before).Seconds()
	// One jiffy may have begun just before the first look, one may end just after the last; a hundredth
	// is for the pace of clocks that are being set.
	if low, high := least*float64(hertz)*0.99-1, most*float64(hertz)*1.01+1; passed < low || passed > high {
		t.Errorf("%v jiffies in %v to %v s, want %v to %v at %d Hz", passed, least, most, low, high, hertz)
	}
}

// jiffiesClock reads the jiffies as programs do, their lower 32 bits.
func jiffiesClock(t *testing.T) func() uint32 {
	t.Helper()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.Syscall, Flags: unix.BPF_F_SLEEPABLE, License: "GPL",
		Instructions: asm.Instructions{asm.FnJiffies64.Call(), asm.Return()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return func() uint32 {
		now, err := p.Run(&ebpf.RunOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return now
	}
}
