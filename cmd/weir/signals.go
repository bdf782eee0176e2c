// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// interrupts turns SIGINT and SIGTERM into events: the first cancels ctx, the
// second closes again, and a third kills the process as if nobody listened, so
// that a stuck shutdown can always be ended by hand.
func interrupts() (ctx context.Context, again <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2) // two are counted; more change nothing
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	second, stopped, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		defer signal.Stop(signals)
		for _, act := range []func(){cancel, func() { close(second) }} {
			select {
			case <-signals:
				act()
			case <-stopped:
				return
			}
		}
	}()
	return ctx, second, func() { close(stopped); <-done; cancel() }
}
