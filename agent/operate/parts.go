// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Part is one of the things that a process does at the same time.
type Part struct {
	Name string // for its error
	Run  func(context.Context) error
}

// RunAll runs the parts, and returns when all have ended: with nil if ctx ended them, or with the error of the first that
// failed, which ends the others. A part that ends without an error ends nobody else.
func RunAll(ctx context.Context, parts ...Part) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	for _, p := range parts {
		running.Go(func() {
			if err := p.Run(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", p.Name, err))
			}
		})
	}
	<-ctx.Done()
	running.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// Follow is the part that takes each new configuration.
func Follow[C any](reload <-chan C, take func(context.Context, C)) Part {
	return Part{"configuration", func(ctx context.Context) error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case cfg := <-reload:
				take(ctx, cfg)
			}
		}
	}}
}
