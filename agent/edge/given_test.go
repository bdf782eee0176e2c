// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"testing"
	"time"
)

// Flows count from the last report that says something new on, and for a minute at most.
func TestGivenSinceReport(t *testing.T) {
	var g given
	start := time.Unix(1000, 0)
	for _, step := range []struct {
		after  time.Duration
		flows  uint64
		report string
		want   uint64
	}{
		{0, 100, "a", 0}, {time.Second, 130, "a", 30}, {2 * time.Second, 150, "a", 50},
		{3 * time.Second, 170, "b", 0}, {4 * time.Second, 171, "b", 1},
		{63 * time.Second, 200, "b", 0}, {64 * time.Second, 210, "b", 10},
		{65 * time.Second, 5, "b", 0}, {66 * time.Second, 7, "b", 2},
	} {
		g.count(step.flows, step.report, start.Add(step.after))
		if got := g.sinceReport(); got != step.want {
			t.Errorf("after %v: %d flows since the report, want %d", step.after, got, step.want)
		}
	}
}
