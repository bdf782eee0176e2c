// SPDX-License-Identifier: Apache-2.0

package hunt

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"time"
)

const (
	// t5Serverhunt is how long one round lasts (RFC 5352 7.1). It doubles with
	// each round that it ended, up to retranMax (SH5.1).
	t5Serverhunt = 10 * time.Second
	retranMax    = 60 * time.Second
	// maxAttempts are under way at once (SH1).
	maxAttempts = 3
	// headStart is how long an attempt is alone before the next one begins beside
	// it: a registrar that answers should not cost the others a handshake.
	headStart = 250 * time.Millisecond
	// failedFor is how long a failure is remembered.
	failedFor = retranMax
)

// The bounds of the wait between two rounds.
const (
	minRetry   = 50 * time.Millisecond
	firstRetry = 100 * time.Millisecond
	maxRetry   = 5 * time.Second
)

// Found is the session that a hunt led to.
type Found[S io.Closer] struct {
	Session S
	Target  Target
}

// Hunter remembers what failed from one hunt to the next. Only one Round or
// Hunt may be under way; Failed may be called at any time.
type Hunter[S io.Closer] struct {
	cfg Config[S]
	t5  time.Duration

	mu     sync.Mutex
	failed map[netip.AddrPort]time.Time // when; bounded by pruning what is older than failedFor
}

// New is a Hunter to which nothing has failed yet.
func New[S io.Closer](cfg Config[S]) (*Hunter[S], error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.setDefaults()
	var err error
	if cfg.Registrars, err = inASCII(cfg.Registrars); err != nil {
		return nil, err
	}
	return &Hunter[S]{cfg: cfg, t5: t5Serverhunt, failed: map[netip.AddrPort]time.Time{}}, nil
}

// Hunt repeats rounds until one leads to a session, until ctx ends, or until
// there were so many rounds; 0 is no limit. Between rounds that ended before
// their time it waits, longer each time.
func (h *Hunter[S]) Hunt(ctx context.Context, rounds int) (Found[S], error) {
	for n := 1; ; n++ {
		began := time.Now()
		found, err := h.Round(ctx)
		if err == nil || ctx.Err() != nil || n == rounds {
			return found, err
		}
		if time.Since(began) >= t5Serverhunt {
			continue // T5 was the wait (SH5)
		}
		select {
		case <-time.After(Backoff(n, h.cfg.Rand)):
		case <-ctx.Done():
			return found, ctx.Err()
		}
	}
}

// Round tries each registrar once, and returns the first session, at the latest
// when T5-Serverhunt expires (RFC 5352 3.6, SH1 to SH6). The error is ctx's, or
// says of each target why it was not the one.
func (h *Hunter[S]) Round(ctx context.Context) (Found[S], error) { return h.RoundBeside(ctx, 0) }

// RoundBeside is Round for who has so many sessions already, fewer than three:
// with the attempts they must not be more than three (SH1).
func (h *Hunter[S]) RoundBeside(ctx context.Context, sessions int) (Found[S], error) {
	limited, cancel := context.WithTimeout(ctx, h.t5)
	r := newRace(h, maxAttempts-sessions)
	found, won := r.run(limited)
	expired := limited.Err() != nil
	cancel()
	r.tasks.Wait()
	switch {
	case won:
		h.t5 = t5Serverhunt // SH3
		h.succeeded(found.Target)
		return found, nil
	case ctx.Err() != nil:
		return Found[S]{}, ctx.Err()
	case expired:
		r.giveUp(h.t5)
		h.t5 = min(2*h.t5, retranMax) // SH5.1
	}
	return Found[S]{}, &Error{r.failures}
}

// Failed notes that a registrar that had been found is of no use: it does not
// answer, or does not serve us. The next hunt tries others first.
func (h *Hunter[S]) Failed(t Target) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	for at, when := range h.failed {
		if now.Sub(when) > failedFor {
			delete(h.failed, at)
		}
	}
	h.failed[t.Remote] = now
}

func (h *Hunter[S]) succeeded(t Target) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.failed, t.Remote)
}

// failedAt is when t failed last, the zero time if that is forgotten.
func (h *Hunter[S]) failedAt(t Target) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	when := h.failed[t.Remote]
	if time.Since(when) > failedFor {
		return time.Time{}
	}
	return when
}

// Backoff is the wait after so many failures in a row, at least one:
// exponential with full jitter, so that those who lost the same registrar do
// not return in step. The first is between 50 and 100 ms, none is over 5 s.
func Backoff(failures int, random *rand.Rand) time.Duration {
	ceiling := firstRetry
	for i := 1; i < failures && ceiling < maxRetry; i++ {
		ceiling *= 2
	}
	ceiling = min(ceiling, maxRetry)
	return minRetry + time.Duration(random.Int64N(int64(ceiling-minRetry)))
}

// Error is a round without a session.
type Error struct{ failures []error }

var errNobody = errors.New("no registrar is known")

// Error is one sentence.
func (e *Error) Error() string {
	if len(e.failures) == 0 {
		return errNobody.Error()
	}
	words := make([]string, len(e.failures))
	for i, err := range e.failures {
		words[i] = err.Error()
	}
	return "no registrar serves us: " + strings.Join(words, "; ")
}

// Unwrap gives the failure of each target.
func (e *Error) Unwrap() []error { return e.failures }
