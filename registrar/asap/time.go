// SPDX-License-Identifier: Apache-2.0

package asap

import (
	"math"
	"time"
)

// instant is a point in time, in nanoseconds since just before the Core first learnt what time it is. An element has
// several, so that it matters that this is a third of a time.Time. 0 is no time: it never comes.
type instant int64

// at is now as an instant, at least 1.
func (c *Core) at(now time.Time) instant {
	if c.epoch.IsZero() {
		c.epoch = now.Add(-1)
	}
	return instant(max(now.Sub(c.epoch), 1))
}

// time is the time of an instant, the zero time of none.
func (c *Core) time(i instant) time.Time {
	if i == 0 {
		return time.Time{}
	}
	return c.epoch.Add(time.Duration(i))
}

// after is d later, or the last instant there is: a registration life of 2^31 s, as rsplib's milliseconds make many, is 68
// years of the 292 that an instant counts.
func (i instant) after(d time.Duration) instant {
	if d > time.Duration(math.MaxInt64-i) {
		return math.MaxInt64
	}
	return i + instant(d)
}

// past says whether i has come.
func (i instant) past(now instant) bool { return i != 0 && i <= now }

// earliest is the first of them that comes, 0 if none ever does.
func earliest(all ...instant) instant {
	var first instant
	for _, i := range all {
		if i != 0 && (first == 0 || i < first) {
			first = i
		}
	}
	return first
}
