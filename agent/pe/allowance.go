// SPDX-License-Identifier: Apache-2.0

package pe

import "time"

// An element answers so many messages that nobody waited for, keep-alives and
// what it does not understand: a registrar sends a keep-alive every few seconds,
// and a takeover some more. A flood of them must not keep the server's machine
// busy (threats draft, 2.14).
const (
	answersAtOnce   = 10                     // well below sendQueue: a burst of them does not look like a full queue
	answersInterval = 200 * time.Millisecond // between two of them in the long run
)

// allowance is a budget that refills with time. The zero value is full.
type allowance struct {
	full    time.Time // when it will be, if nothing more is taken
	flooded bool      // something was refused since it was full last
}

// take takes one; first tells that it is the first one that is refused.
func (a *allowance) take(now time.Time) (ok, first bool) {
	if !a.full.After(now) {
		a.full, a.flooded = now, false
	}
	if a.full.Sub(now) > (answersAtOnce-1)*answersInterval {
		first, a.flooded = !a.flooded, true
		return false, first
	}
	a.full = a.full.Add(answersInterval)
	return true, false
}

// mayAnswer spends from the allowance, and says once that it is spent.
func (m *machine) mayAnswer(now time.Time, v via) bool {
	ok, first := m.answers.take(now)
	if first {
		m.log.Warn("messages come too fast, not all are answered", "registrar", m.sessions.names[v])
	}
	return ok
}
