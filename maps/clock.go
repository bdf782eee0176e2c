// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"fmt"
	"math"
	"time"

	"github.com/cilium/ebpf"
)

// Clock is what the flow table's times are of: the kernel's jiffies, which cost a program nothing to
// read. A tick is 2^Shift of them, about a second.
type Clock struct {
	Hertz   int // jiffies a second
	Shift   uint
	program *ebpf.Program // returns the ticks
}

// NewClock makes the clock of a kernel with so many jiffies a second. The program is tick of
// bpf/weir.bpf.c, loaded with the clock's shift.
func NewClock(hertz int, program *ebpf.Program) Clock {
	return Clock{Hertz: hertz, Shift: TickShift(hertz), program: program}
}

// TickShift is how many times a jiffy of the frequency has to be doubled to be about a second.
func TickShift(hertz int) uint { return uint(math.Round(math.Log2(float64(hertz)))) }

// now is the time, modulo 2^32.
func (c Clock) now() (uint32, error) {
	ret, err := c.program.Run(&ebpf.RunOptions{})
	if err != nil {
		return 0, fmt.Errorf("read the kernel's ticks: %w", err)
	}
	return ret, nil
}

// tick is the time now as flows have it, modulo 2^16.
func (c Clock) tick() (uint16, error) {
	now, err := c.now()
	return uint16(now), err
}

// maxTicks is how long a flow may be silent at most: half of what its 16 bits can tell apart.
const maxTicks = 1<<15 - 1

// MaxIdle is the longest timeout that a flow can have, with any kernel's jiffies.
const MaxIdle = 7 * time.Hour

// ticks are as many as a duration has, rounded up, at least 1 and at most maxTicks.
func (c Clock) ticks(d time.Duration) uint16 {
	n := math.Ceil(d.Seconds() * float64(c.Hertz) / float64(uint(1)<<c.Shift))
	return uint16(min(max(n, 1), maxTicks))
}
