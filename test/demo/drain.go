// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/weir-lb/weir/test/traffic"
)

const drainedServer = 1 // server-2

// drainCheck: an element that deregisters keeps its connections and gets no new ones.
func (d *deployment) drainCheck(ctx context.Context, c *Check) error {
	name := serverName(drainedServer)
	h, err := d.hold(ctx, heldCount)
	if err != nil {
		return err
	}
	defer h.in.Close()
	if err := d.pes[drainedServer].Signal(syscall.SIGTERM); err != nil {
		return err
	}
	took, err := await(ctx, 5*time.Second, "the element drains", func() bool {
		_, draining := d.elements(ctx, "draining")[identity(drainedServer)]
		return draining
	})
	if err != nil {
		return err
	}
	c.expect(true, name+" deregisters: it drains", "draining after %s", took.Round(time.Millisecond))

	same, asked, err := h.ask(ctx, name)
	if err != nil {
		return err
	}
	c.expect(same == asked && asked > 0, "its established connections go on", "%d of %d answered by %s", same, asked, name)

	var s traffic.Summary
	if err := d.requests(ctx, &s, 300, 4); err != nil {
		return err
	}
	c.expect(s.Failed == 0 && s.Answers[name] == 0, fmt.Sprintf("%s gets no new connection", name), "%s; %d errors %v", shares(s.Answers), s.Failed, s.Errors)

	// It comes back for what follows: the old process waits for its connections to end.
	if err := d.pes[drainedServer].Kill(); err != nil {
		return err
	}
	if err := d.startPE(drainedServer); err != nil {
		return err
	}
	_, err = d.awaitActive(ctx, 5*time.Second, allIdentities()...)
	return err
}
