// SPDX-License-Identifier: Apache-2.0

package loader

import (
	"fmt"
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// kernelHertz is how many jiffies the kernel has in a second (CONFIG_HZ): a jiffy is how finely its
// coarse clock tells the time. Flows that an earlier agent left are dated in ticks of these, so that it
// must be the same number each time; a measurement is not, on a machine under load.
func kernelHertz() (int, error) {
	var jiffy unix.Timespec
	if err := unix.ClockGetres(unix.CLOCK_MONOTONIC_COARSE, &jiffy); err != nil {
		return 0, fmt.Errorf("read how long the kernel's jiffies are: %w", err)
	}
	hertz := hertzOf(time.Duration(jiffy.Nano()))
	if hertz < 1 {
		return 0, fmt.Errorf("the kernel's jiffies are said to be %v: Weir can keep no time by them", time.Duration(jiffy.Nano()))
	}
	return hertz, nil
}

// hertzOf is of a jiffy in whole nanoseconds, which the kernel has rounded.
func hertzOf(jiffy time.Duration) int {
	if jiffy <= 0 {
		return 0
	}
	return int(math.Round(float64(time.Second) / float64(jiffy)))
}
