// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"context"
	"log/slog"
	"maps"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

const (
	// maxLines of the log are one identity's in each logPeriod; the counts of Stats go on. It is enough for all that an
	// honest peer can do: the elements of one identity may leave twice, and come back.
	maxLines  = 200
	logPeriod = time.Minute
	// maxShown is how many bytes of a pool handle are logged. One that is refused may have 65,527.
	maxShown = 64
	// maxNames bounds the identities that are remembered: those without a key are as many as there are addresses. What
	// more of them do in a period is one identity's.
	maxNames = 4096
)

// journal is the log of what peers do. A peer must not fill the disk with it, or slow the loop, which waits for the log.
type journal struct {
	log  *slog.Logger
	used map[string]*lines // by identity, see maxNames
}

// lines is what an identity has used of a period.
type lines struct {
	ends time.Time
	n    int
}

func newJournal(log *slog.Logger) journal { return journal{log: log, used: map[string]*lines{}} }

// write logs what the identity did or what became of it, unless it had too much to tell lately.
func (j journal) write(level slog.Level, identity, msg string, args ...any) {
	now := time.Now()
	u := j.of(identity, now)
	if !now.Before(u.ends) {
		*u = lines{ends: now.Add(logPeriod)}
	}
	u.n++
	switch {
	case u.n < maxLines:
		j.log.With("identity", identity).Log(context.Background(), level, msg, args...)
	case u.n == maxLines:
		j.log.Warn("too much to log about one identity; the counters go on", "identity", identity, "silent_until", u.ends)
	}
}

// of is what is remembered of an identity.
func (j journal) of(identity string, now time.Time) *lines {
	if len(j.used) >= maxNames {
		maps.DeleteFunc(j.used, func(_ string, u *lines) bool { return !now.Before(u.ends) })
	}
	if j.used[identity] == nil && len(j.used) >= maxNames {
		identity = ""
	}
	if j.used[identity] == nil {
		j.used[identity] = &lines{ends: now.Add(logPeriod)}
	}
	return j.used[identity]
}

// shown is the beginning of a pool handle.
func shown(h wire.PoolHandle) string {
	if len(h) > maxShown {
		return string(h[:maxShown]) + "…"
	}
	return string(h)
}
