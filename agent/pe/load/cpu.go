// SPDX-License-Identifier: Apache-2.0

package load

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// firstWindow is how long the first measurement of a counter takes, which has no earlier one to compare with.
const firstWindow = 250 * time.Millisecond

// usage is a reading of two counters that only grow: what was used, and what there was to use.
type usage struct{ used, of float64 }

// CPU is the machine's: the share of time since the last sample that its processors were neither idle nor waiting for a
// disk. In a container that is still the whole machine; see Cgroup.
func CPU() Sampler { return growth(func() (usage, error) { return machineTime("/proc/stat") }) }

// Cgroup is the CPU time that a control group (version 2) took since the last sample, out of what it may take: its quota,
// or all processors that this process may run on.
func Cgroup(dir string) Sampler {
	return growth(func() (usage, error) { return groupTime(dir, time.Now()) })
}

// growth samples the growth of used over the growth of of. Two samples that are too close to tell give the same value.
func growth(read func() (usage, error)) Sampler {
	var last usage
	var value float64
	started := false
	return func(ctx context.Context) (float64, error) {
		if !started {
			var err error
			if last, err = read(); err != nil {
				return 0, err
			}
			if err := wait(ctx, firstWindow); err != nil {
				return 0, err
			}
			started = true
		}
		now, err := read()
		if err != nil {
			started = false // a counter that comes back may begin anew
			return 0, err
		}
		if now.of > last.of {
			value = min(max((now.used-last.used)/(now.of-last.of), 0), 1)
			last = now
		}
		return value, nil
	}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// machineTime reads the first line of /proc/stat, in ticks: "cpu user nice system idle iowait irq softirq steal guest
// guest_nice". The guests' time is in user and nice already.
func machineTime(path string) (usage, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return usage{}, err
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	fields := strings.Fields(string(line))
	if len(fields) < 9 || fields[0] != "cpu" {
		return usage{}, fmt.Errorf("%s begins with no line of 8 times: %q", path, line)
	}
	var u usage
	for i, field := range fields[1:9] {
		ticks, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return usage{}, fmt.Errorf("%s: %w", path, err)
		}
		u.of += float64(ticks)
		if i != 3 && i != 4 { // idle, iowait
			u.used += float64(ticks)
		}
	}
	return u, nil
}

// groupTime reads a control group's CPU time and what it could have taken until now, both in seconds.
func groupTime(dir string, now time.Time) (usage, error) {
	path := filepath.Join(dir, "cpu.stat")
	data, err := os.ReadFile(path)
	if err != nil {
		return usage{}, err
	}
	processors, err := groupLimit(dir)
	if err != nil {
		return usage{}, err
	}
	for line := range strings.Lines(string(data)) {
		if value, found := strings.CutPrefix(line, "usage_usec "); found {
			used, err := strconv.ParseUint(strings.TrimSpace(value), 10, 64)
			if err != nil {
				return usage{}, fmt.Errorf("%s: %w", path, err)
			}
			return usage{float64(used) / 1e6, float64(now.UnixMicro()) / 1e6 * processors}, nil
		}
	}
	return usage{}, fmt.Errorf("%s has no usage_usec", path)
}

// groupLimit is how many processors a control group may use: cpu.max is "quota period" or "max period", and is absent
// where the controller is off.
func groupLimit(dir string) (float64, error) {
	all := float64(runtime.NumCPU())
	path := filepath.Join(dir, "cpu.max")
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return all, nil
	}
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(data))
	if len(fields) == 2 && fields[0] == "max" {
		return all, nil
	}
	quota, period, ok := quotaAndPeriod(fields)
	if !ok {
		return 0, fmt.Errorf("%s is no quota and period, both more than 0: %.40q", path, data)
	}
	return min(quota/period, all), nil
}

// quotaAndPeriod are in microseconds: the kernel writes whole ones.
func quotaAndPeriod(fields []string) (quota, period float64, ok bool) {
	if len(fields) != 2 {
		return 0, 0, false
	}
	q, errQuota := strconv.ParseUint(fields[0], 10, 64)
	p, errPeriod := strconv.ParseUint(fields[1], 10, 64)
	return float64(q), float64(p), errQuota == nil && errPeriod == nil && q > 0 && p > 0
}
