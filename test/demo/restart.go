// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/weir-lb/weir/test/traffic"
)

const restarts = 5

// restartCheck: the gateway's agent is killed and started again under load, and nobody notices.
func (d *deployment) restartCheck(ctx context.Context, c *Check) error {
	h, err := d.hold(ctx, heldCount)
	if err != nil {
		return err
	}
	defer h.in.Close()
	load, err := d.session(ctx, d.client, "load", "--target", target.String(), "--parallel", "4", "--every", "5ms")
	if err != nil {
		return err
	}
	before, err := heldFlows(d.pinDir(), h.held)
	if err != nil {
		return err
	}
	same, asked := 0, 0
	for range restarts {
		if err := d.restartEdge(ctx); err != nil {
			return err
		}
		s, a, err := h.ask(ctx, serverName(0), serverName(1), serverName(2), serverName(3))
		if err != nil {
			return err
		}
		same, asked = same+s, asked+a
	}
	took, err := d.awaitActive(ctx, 10*time.Second, allIdentities()...)
	if err != nil {
		return err
	}
	c.expect(true, "all elements are back after the last restart", "4 active after %s", took.Round(time.Millisecond))
	var s traffic.Summary
	if err := load.finish(&s); err != nil {
		return err
	}
	c.expect(s.Failed == 0 && s.Total() > 0, fmt.Sprintf("no request fails across %d SIGKILLs", restarts), "%d requests, %d errors %v, slowest %s",
		s.Total(), s.Failed, s.Errors, s.Slowest.Round(time.Millisecond))
	after, err := heldFlows(d.pinDir(), h.held)
	if err != nil {
		return err
	}
	c.expect(maps.Equal(before, after) && len(before) == heldCount, "the kernel's flow entries are the same as before",
		"%d entries before, %d after, equal: %t", len(before), len(after), maps.Equal(before, after))
	c.expect(same == asked && asked == restarts*heldCount, "no flow moves", "%d of %d requests over %d kept connections answered by their own server",
		same, asked, heldCount)
	return nil
}

// restartEdge kills the agent, leaves the kernel alone for a moment, and starts it again.
func (d *deployment) restartEdge(ctx context.Context) error {
	if err := d.edge.Kill(); err != nil {
		return err
	}
	<-d.edge.Done()
	pause(ctx, 300*time.Millisecond)
	if err := d.startEdge(); err != nil {
		return err
	}
	if err := d.awaitReady(ctx); err != nil {
		return err
	}
	pause(ctx, 500*time.Millisecond)
	return nil
}
