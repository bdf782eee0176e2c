// SPDX-License-Identifier: Apache-2.0

// Package machine says what a benchmark ran on. It owns the one line of that at the head of each report
// under docs/bench, and of how fast its memory is at the moment.
package machine

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Describe is the processor's name, the kernel's version and the load.
func Describe() string {
	model := "unknown processor"
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
			}
		}
	}
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	load, _ := os.ReadFile("/proc/loadavg")
	return fmt.Sprintf("%s, Linux %s, load average %s", model, strings.TrimSpace(string(release)), strings.TrimSpace(string(load)))
}

// CPU is the time that the process has had on the core, the garbage collector's too. On a machine that others use it is
// what can be measured; what they do to the caches is in it.
func CPU() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}

// Latency is the nanoseconds of a load whose address is what the last one loaded, at random from so many bytes: what the
// machine's caches are worth at the moment.
func Latency(size int) float64 {
	const line, loads = 8, 200_000
	next := make([]uint64, size/8)
	order := rand.New(rand.NewPCG(1, 2)).Perm(len(next) / line)
	for i, at := range order {
		next[at*line] = uint64(order[(i+1)%len(order)] * line)
	}
	at, best := uint64(0), time.Hour
	for range 5 {
		begin := CPU()
		for range loads {
			at = next[at]
		}
		best = min(best, CPU()-begin+time.Duration(at>>63))
	}
	return float64(best) / loads
}
