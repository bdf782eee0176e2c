// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/weir-lb/weir/test/traffic"
)

const (
	killedServer = 2 // server-3: its processes are killed
	silentServer = 3 // server-4: its link goes down without a word
	killLimit    = time.Second
	silentLimit  = 3 * time.Second
	heldCount    = 48
)

// lossCheck: clients of a lost server hear of it at once, and nobody else is sent there.
func (d *deployment) lossCheck(ctx context.Context, c *Check) error {
	h, err := d.hold(ctx, heldCount)
	if err != nil {
		return err
	}
	defer h.in.Close()

	began := time.Now()
	if err := d.webs[killedServer].Kill(); err != nil {
		return err
	}
	if err := d.pes[killedServer].Kill(); err != nil {
		return err
	}
	if err := d.expectTold(ctx, c, h, killedServer, "processes killed", began, killLimit); err != nil {
		return err
	}
	busy, err := d.hold(ctx, heldCount)
	if err != nil {
		return err
	}
	defer busy.in.Close()
	began = time.Now()
	if err := d.servers[silentServer].SetLink(hostIf, false); err != nil {
		return err
	}
	if err := d.expectErrors(ctx, c, busy, began); err != nil {
		return err
	}
	if err := d.expectTold(ctx, c, h, silentServer, "link down without a word", began, silentLimit); err != nil {
		return err
	}
	same, asked, err := h.ask(ctx, serverName(0), serverName(1))
	if err != nil {
		return err
	}
	c.expect(same == asked && asked > 0, "connections to the other servers stand", "%d of %d answered by their own server", same, asked)
	return d.repair(ctx)
}

// expectErrors sends a request over each connection to the silent server: it must fail in time.
func (d *deployment) expectErrors(ctx context.Context, c *Check, busy *holding, began time.Time) error {
	conns := busy.on(serverName(silentServer))
	if _, _, err := busy.ask(ctx); err != nil {
		return err
	}
	n, last, why := busy.endedOf(conns, began)
	c.expect(len(conns) > 0 && n == len(conns) && last <= silentLimit,
		fmt.Sprintf("%s, link down without a word: requests under way fail within %s", serverName(silentServer), silentLimit),
		"%d of %d failed, the last after %s (%s)", n, len(conns), last.Round(time.Millisecond), shortError(why))
	return nil
}

// expectTold waits for the end of all idle connections to a server, then sends new requests.
func (d *deployment) expectTold(ctx context.Context, c *Check, h *holding, server int, how string, began time.Time, limit time.Duration) error {
	name := serverName(server)
	conns := h.on(name)
	_, _ = await(ctx, 2*limit, "the clients are told", func() bool { // what was seen is judged below
		n, _, _ := h.endedOf(conns, began)
		return n == len(conns)
	})
	n, last, why := h.endedOf(conns, began)
	c.expect(len(conns) > 0 && n == len(conns) && last <= limit, fmt.Sprintf("%s, %s: its idle clients get an error within %s", name, how, limit),
		"%d of %d told, the last after %s (%s)", n, len(conns), last.Round(time.Millisecond), shortError(why))

	var s traffic.Summary
	if err := d.requests(ctx, &s, 200, 4); err != nil {
		return err
	}
	c.expect(s.Failed == 0 && s.Answers[name] == 0, "new connections go to the others only, without an error",
		"%s; %d errors %v", shares(s.Answers), s.Failed, s.Errors)
	return nil
}

// shortError leaves out the addresses of a network error.
func shortError(text string) string {
	for i := len(text) - 1; i > 0; i-- {
		if text[i] == ':' {
			return text[i+2:]
		}
	}
	return text
}

// repair brings both servers back: one is started again, the other's link comes up and its element
// enrols by itself.
func (d *deployment) repair(ctx context.Context) error {
	if err := d.servers[silentServer].SetLink(hostIf, true); err != nil {
		return err
	}
	if err := d.reroute(silentServer); err != nil {
		return err
	}
	if err := d.startServer(killedServer); err != nil {
		return err
	}
	if err := d.startPE(killedServer); err != nil {
		return err
	}
	_, err := d.awaitActive(ctx, 12*time.Second, allIdentities()...)
	return err
}
