// SPDX-License-Identifier: Apache-2.0

package loader

import (
	"fmt"
	"time"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
)

// measureFor is long enough to tell 250 jiffies a second from 300.
const measureFor = 60 * time.Millisecond

// jiffiesPerSecond is the kernel's CONFIG_HZ, measured: not every kernel tells its configuration.
func jiffiesPerSecond() (int, error) {
	spec, err := bpf.LoadWeir()
	if err != nil {
		return 0, fmt.Errorf("read the built-in program: %w", err)
	}
	clock, err := ebpf.NewProgram(spec.Programs["jiffies"])
	if err != nil {
		return 0, explain("load the program that reads the kernel's jiffies", err)
	}
	defer clock.Close()
	first, err := clock.Run(&ebpf.RunOptions{})
	if err != nil {
		return 0, fmt.Errorf("read the kernel's jiffies: %w", err)
	}
	began := time.Now()
	time.Sleep(measureFor)
	last, err := clock.Run(&ebpf.RunOptions{})
	if err != nil {
		return 0, fmt.Errorf("read the kernel's jiffies: %w", err)
	}
	return nearestHertz(float64(last-first) / time.Since(began).Seconds()), nil
}

// nearestHertz is the value of CONFIG_HZ (kernel/Kconfig.hz, and 100 to 1024 of other architectures) that is
// nearest to a measured one.
func nearestHertz(measured float64) int {
	best := 0
	for _, hertz := range []int{24, 48, 100, 128, 200, 250, 256, 300, 500, 512, 1000, 1024} {
		if best == 0 || distance(float64(hertz), measured) < distance(float64(best), measured) {
			best = hertz
		}
	}
	return best
}

// distance is by what factor two numbers differ.
func distance(a, b float64) float64 { return max(a/b, b/a) }
