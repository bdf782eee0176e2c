// SPDX-License-Identifier: Apache-2.0

// Package machine says what a benchmark ran on. It owns the one line of that at the head of each report
// under docs/bench, and measures nothing.
package machine

import (
	"bufio"
	"fmt"
	"os"
	"strings"
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
