// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/weir-lb/weir/agent/hunt"
	"github.com/weir-lb/weir/registrar/transport"
)

// agent carries out the machine's actions. Its fields belong to the loop.
type agent struct {
	cfg     *Config
	machine *machine
	hunter  *hunt.Hunter[*transport.Session]

	rounds  chan round
	reports chan inbound
	results chan error
	samples chan sample

	links   map[via]*link
	lastVia via
	endSeek context.CancelFunc // nil without a round of the hunt
	seeking sync.WaitGroup
}

// round is the end of a round of the hunt: a session or an error.
type round struct {
	found hunt.Found[*transport.Session]
	err   error
}

// Run keeps the element registered until ctx ends, then deregisters it, stays
// for the drain, and returns nil. It returns an error when a registrar has
// rejected the registration for good, or when it gave up after cfg.Attempts.
func Run(ctx context.Context, cfg Config) error {
	random := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	hunter, err := newHunter(&cfg)
	if err != nil {
		return err
	}
	a := &agent{
		cfg:     &cfg,
		machine: newMachine(&cfg, random),
		hunter:  hunter,
		rounds:  make(chan round),
		reports: make(chan inbound),
		results: make(chan error),
		samples: make(chan sample),
		links:   map[via]*link{},
	}
	// The end of ctx starts the deregistration, which still needs the session.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var probing sync.WaitGroup
	if cfg.Check != nil {
		probing.Go(func() { probe(work, cfg.Check, cfg.CheckInterval, a.results) })
	}
	if cfg.Load != nil {
		probing.Go(func() { probe(work, cfg.measure, cfg.LoadInterval, a.samples) })
	}
	err = a.loop(work, ctx.Done())
	cancel()
	a.seeking.Wait()
	a.closeAll()
	probing.Wait()
	return err
}

// loop is the one goroutine that owns the machine.
func (a *agent) loop(ctx context.Context, stop <-chan struct{}) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	again := a.cfg.Again
	actions := a.machine.start(time.Now())
	for {
		if done, err := a.perform(ctx, actions); done {
			return err
		}
		a.arm(timer)
		select {
		case r := <-a.rounds:
			actions = a.sought(ctx, r)
		case in := <-a.reports:
			actions = a.receive(in)
		case err := <-a.results:
			actions = a.machine.checked(time.Now(), err)
		case s := <-a.samples:
			actions = a.machine.measured(time.Now(), s.load, s.err)
		case <-timer.C:
			actions = a.machine.tick(time.Now())
		case <-a.cfg.Nudge:
			a.reloadKeys()
			actions = a.machine.nudge(time.Now())
		case <-stop:
			stop = nil
			actions = a.machine.stop(time.Now(), nil)
		case <-again:
			again = nil
			actions = a.machine.hasten(time.Now())
		}
	}
}

// arm sets the timer to the machine's deadline, if there is one.
func (a *agent) arm(timer *time.Timer) {
	if at := a.machine.deadline(); !at.IsZero() {
		timer.Reset(time.Until(at))
	} else {
		timer.Stop()
	}
}

func (a *agent) reloadKeys() {
	if err := a.cfg.Keys.Reload(); err != nil {
		a.cfg.Log.Error("keys not reloaded, the old ones stay", "err", err)
	}
}
