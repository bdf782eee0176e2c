// SPDX-License-Identifier: Apache-2.0

package pe

import "time"

// The timers of RFC 5352 7.1, at their normal values. T5 and T7 are the hunt's.
// T2 is shorter for a silent home, see pulse.
const (
	t2Registration   = 30 * time.Second
	t3Deregistration = 30 * time.Second
	t4Reregistration = 10 * time.Minute
	// t4Margin is how long before the end of the registration's life the
	// element registers again.
	t4Margin = 20 * time.Second
)

// reregistration is T4-reregistration for a registration life: ten minutes or
// 20 seconds less than life, whichever is less (RFC 5352 7.1), but never less
// than half of a short life.
func reregistration(life time.Duration) time.Duration {
	return min(t4Reregistration, max(life-t4Margin, life/2))
}
