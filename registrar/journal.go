// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"context"
	"log/slog"
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
)

// journal is the log of what peers do. A peer must not fill the disk with it, or slow the loop, which waits for the log.
type journal struct {
	log  *slog.Logger
	used map[string]*lines // by identity: no more than have ever had a key
}

// lines is what an identity has used of a period.
type lines struct {
	ends time.Time
	n    int
}

func newJournal(log *slog.Logger) journal { return journal{log: log, used: map[string]*lines{}} }

// write logs what the identity did or what became of it, unless it had too much to tell lately.
func (j journal) write(level slog.Level, identity, msg string, args ...any) {
	u, now := j.used[identity], time.Now()
	if u == nil || !now.Before(u.ends) {
		u = &lines{ends: now.Add(logPeriod)}
		j.used[identity] = u
	}
	u.n++
	switch {
	case u.n < maxLines:
		j.log.With("identity", identity).Log(context.Background(), level, msg, args...)
	case u.n == maxLines:
		j.log.Warn("too much to log about one identity; the counters go on", "identity", identity, "silent_until", u.ends)
	}
}

// shown is the beginning of a pool handle.
func shown(h wire.PoolHandle) string {
	if len(h) > maxShown {
		return string(h[:maxShown]) + "…"
	}
	return string(h)
}
