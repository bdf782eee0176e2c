// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"context"
	"errors"
	"testing"
)

func waits(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestRunAll(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	broken := errors.New("broken")
	for _, tt := range []struct {
		name  string
		ctx   context.Context
		parts []Part
		want  string
	}{
		{"the end", ended, []Part{{"a", waits}, {"b", waits}}, ""},
		{"a failure ends the others", t.Context(), []Part{
			{"a", waits}, {"b", func(context.Context) error { return broken }}, {"c", func(context.Context) error { return nil }},
		}, "b: broken"},
		{"a failure at the end is none", ended, []Part{{"a", func(context.Context) error { return broken }}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := RunAll(tt.ctx, tt.parts...); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("error %q, want %q", got, tt.want)
			}
		})
	}
}

func TestFollow(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	reload, taken := make(chan int), []int{}
	done := make(chan error, 1)
	go func() {
		done <- RunAll(ctx, Follow(reload, func(_ context.Context, n int) { taken = append(taken, n) }))
	}()
	reload <- 1
	reload <- 2
	cancel()
	if err := <-done; err != nil || len(taken) != 2 {
		t.Errorf("took %v, error %v", taken, err)
	}
}
