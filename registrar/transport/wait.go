// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"time"
)

// turn is a mutex that can be waited for under a context.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) give() { <-t }

// interrupt lets the end of ctx end the call whose deadline set sets. The
// returned function must be called after that call; it clears the deadline, so
// that the next call finds none, and returns ctx's error if ctx ended first.
func interrupt(ctx context.Context, set func(time.Time) error) (done func() error) {
	if ctx.Done() == nil {
		return func() error { return nil }
	}
	fired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = set(time.Unix(1, 0)) // fails only on a closed socket, which ends the call too
		close(fired)
	})
	return func() error {
		if stop() {
			return nil
		}
		<-fired
		_ = set(time.Time{})
		return ctx.Err()
	}
}
