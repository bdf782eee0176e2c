// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"math/rand/v2"
	"time"
)

// The timers of RFC 5352 7.1, at their normal values.
const (
	t2Registration   = 30 * time.Second
	t3Deregistration = 30 * time.Second
	t4Reregistration = 10 * time.Minute
	t5Serverhunt     = 10 * time.Second
	// t4Margin is how long before the end of the registration's life the
	// element registers again.
	t4Margin = 20 * time.Second
)

// The bounds of the wait between two attempts to reach a registrar.
const (
	minRetry   = 50 * time.Millisecond
	firstRetry = 100 * time.Millisecond
	maxRetry   = 5 * time.Second
)

// reregistration is T4-reregistration for a registration life: ten minutes or
// 20 seconds less than life, whichever is less (RFC 5352 7.1), but never less
// than half of a short life.
func reregistration(life time.Duration) time.Duration {
	return min(t4Reregistration, max(life-t4Margin, life/2))
}

// backoff is the wait after so many failures in a row, at least one:
// exponential with full jitter, so that the elements of a restarted registrar
// do not return in step. The first is between 50 and 100 ms, none is over 5 s.
func backoff(failures int, random *rand.Rand) time.Duration {
	ceiling := firstRetry
	for i := 1; i < failures && ceiling < maxRetry; i++ {
		ceiling *= 2
	}
	ceiling = min(ceiling, maxRetry)
	return minRetry + time.Duration(random.Int64N(int64(ceiling-minRetry)))
}
