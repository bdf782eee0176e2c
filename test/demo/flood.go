// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/weir-lb/weir/test/lab"
	"github.com/weir-lb/weir/test/traffic"
)

const (
	floodRate  = 160_000 // packets a second that the attacker aims at
	floodLasts = 7 * time.Second
	floodLeast = 100_000 // packets a second that must arrive for the check to count
	enrolLimit = 2 * time.Second
)

// floodCheck: under a flood of registration attempts the honest go on.
func (d *deployment) floodCheck(ctx context.Context, c *Check) error {
	load, err := d.session(ctx, d.client, "load", "--target", target.String(), "--parallel", "2", "--every", "10ms")
	if err != nil {
		return err
	}
	var flooded traffic.Flooded
	flood := make(chan error, 1)
	go func() {
		flood <- d.traffic(ctx, d.attacker, &flooded, "flood", "--target", registrar, "--interface", hostIf,
			"--rate", fmt.Sprint(floodRate), "--last", floodLasts.String())
	}()
	if err := d.underFlood(ctx, c); err != nil {
		return err
	}
	if err := <-flood; err != nil {
		return err
	}
	var s traffic.Summary
	if err := load.finish(&s); err != nil {
		return err
	}
	c.expect(s.Failed == 0 && s.Total() > 0, "client requests go on without an error", "%d requests, %d errors %v, slowest %s",
		s.Total(), s.Failed, s.Errors, s.Slowest.Round(time.Millisecond))
	return nil
}

// underFlood measures the flood at the gateway for 5 s, while an element re-registers and another enrols.
func (d *deployment) underFlood(ctx context.Context, c *Check) error {
	if _, err := await(ctx, 3*time.Second, "the flood arrives", func() bool { return d.dropped(ctx) > floodLeast/10 }); err != nil {
		return err
	}
	before, err := d.verdicts(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := d.reregister(ctx, c); err != nil {
		return err
	}
	if err := d.enrolSpare(ctx, c); err != nil {
		return err
	}
	pause(ctx, 5*time.Second-time.Since(began))
	after, err := d.verdicts(ctx)
	if err != nil {
		return err
	}
	rate, drops := floodFigures(before, after, time.Since(began))
	c.expect(rate >= floodLeast, fmt.Sprintf("at least %d packets/s reach the gateway for 5s", floodLeast), "%.0f packets/s", rate)
	c.expect(drops.passed*20 < drops.total, "the kernel stops them before its stack (at most 1 in 20 passes)", "%s", drops)
	return nil
}

// dropped counts what the guard has dropped since the start.
func (d *deployment) dropped(ctx context.Context) uint64 {
	v, err := d.verdicts(ctx)
	if err != nil {
		return 0
	}
	return v["guard_unknown_flow"] + v["guard_source_spent"] + v["guard_global_spent"]
}

// guardCounts is what the guard made of the packets in a window.
type guardCounts struct {
	total, passed uint64
	byName        []string
}

func (g guardCounts) String() string {
	return fmt.Sprintf("%d of %d passed: %s", g.passed, g.total, strings.Join(g.byName, ", "))
}

func floodFigures(before, after map[string]uint64, took time.Duration) (rate float64, g guardCounts) {
	for _, name := range sortedKeys(after) {
		n := after[name] - before[name]
		if !strings.HasPrefix(name, "guard_") || n == 0 {
			continue
		}
		g.total += n
		switch name {
		case "guard_admitted", "guard_newcomer", "guard_proven", "guard_handshake":
			g.passed += n
		}
		g.byName = append(g.byName, fmt.Sprintf("%s %d", strings.TrimPrefix(name, "guard_"), n))
	}
	return float64(g.total) / took.Seconds(), g
}

// reregister asks an element to register once more, over the session that it has.
func (d *deployment) reregister(ctx context.Context, c *Check) error {
	before := registrations(d.pes[0])
	if err := d.pes[0].Signal(syscall.SIGHUP); err != nil {
		return err
	}
	took, err := await(ctx, 2*enrolLimit, "an honest element re-registers", func() bool { return registrations(d.pes[0]) > before })
	c.expect(err == nil && took <= enrolLimit, "an honest element re-registers within 2s", "after %s", took.Round(time.Millisecond))
	return nil
}

// enrolSpare enrols an element that the gateway has never seen, and lets it go again.
func (d *deployment) enrolSpare(ctx context.Context, c *Check) error {
	p, err := d.enrol(d.servers[0], element{
		identity: spareIdentity, key: d.keys[spareIdentity], pool: "web",
		serve: fmt.Sprintf("tcp://%s:%d", serverAddr(0), sparePort), weight: 1, args: []string{"--drain", "0s"},
	})
	if err != nil {
		return err
	}
	took, err := await(ctx, 2*enrolLimit, "a new element enrols", func() bool { return registrations(p) > 0 })
	c.expect(err == nil && took <= enrolLimit, "a new honest element enrols within 2s", "after %s", took.Round(time.Millisecond))
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.Wait()
}

// registrations counts how often an element's log says that it registered.
func registrations(p *lab.Process) int {
	text, err := os.ReadFile(p.LogFile())
	if err != nil {
		return 0
	}
	return strings.Count(string(text), "msg=registered ")
}
