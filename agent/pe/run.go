// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/weir-lb/weir/agent/hunt"
	"github.com/weir-lb/weir/agent/link"
	"github.com/weir-lb/weir/registrar/transport"
)

// agent carries out the machine's actions. Its fields belong to the loop.
type agent struct {
	cfg     *Config
	machine *machine
	hunter  *hunt.Hunter[*transport.Session]

	rounds  chan round
	visits  chan *transport.Session
	reports chan link.Report // without a buffer
	results chan error
	samples chan sample

	links   map[via]*link.Link
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
	hints, err := cfg.announcements()
	if err != nil {
		return err
	}
	if hints != nil {
		defer hints.Close() // a socket that only listens has nothing to lose
	}
	// The end of ctx starts the deregistration, which still needs the session.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	listener, err := listen(work, &cfg)
	if err != nil {
		return err
	}
	hunter, err := newHunter(&cfg, listener, hints)
	if err != nil {
		return errors.Join(err, listener.close())
	}
	a := newAgent(&cfg, hunter)
	a.machine.asap = listener.transport()
	var helping sync.WaitGroup
	helping.Go(func() { listener.accept(work, a.visits) })
	a.probe(work, &helping)
	err = a.loop(work, ctx.Done())
	cancel()
	a.seeking.Wait()
	a.closeAll()
	helping.Wait()
	return errors.Join(err, listener.close())
}

func newAgent(cfg *Config, hunter *hunt.Hunter[*transport.Session]) *agent {
	return &agent{
		cfg:     cfg,
		machine: newMachine(cfg, rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))),
		hunter:  hunter,
		rounds:  make(chan round),
		visits:  make(chan *transport.Session),
		reports: make(chan link.Report),
		results: make(chan error),
		samples: make(chan sample),
		links:   map[via]*link.Link{},
	}
}

// probe begins with the checks and the measurements that are asked for.
func (a *agent) probe(ctx context.Context, running *sync.WaitGroup) {
	if a.cfg.Check != nil {
		running.Go(func() { probe(ctx, a.cfg.Check, a.cfg.CheckInterval, a.results) })
	}
	if a.cfg.Load != nil {
		running.Go(func() { probe(ctx, a.cfg.measure, a.cfg.LoadInterval, a.samples) })
	}
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
		case s := <-a.visits:
			actions = a.visited(ctx, s)
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
	if a.cfg.Keys == nil {
		return
	}
	if err := a.cfg.Keys.Reload(); err != nil {
		a.cfg.Log.Error("keys not reloaded, the old ones stay", "err", err)
	}
}
