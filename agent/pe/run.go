// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

// agent carries out the machine's actions. Its fields belong to the loop.
type agent struct {
	cfg     *Config
	machine *machine

	dials   chan dialed
	reports chan inbound
	results chan error
	samples chan sample

	link    *link              // nil without a session
	undial  context.CancelFunc // nil without a dial
	dialing sync.WaitGroup
}

// Run keeps the element registered until ctx ends, then deregisters it, stays
// for the drain, and returns nil. It returns an error when a registrar has
// rejected the registration for good, or when it gave up after cfg.Attempts.
func Run(ctx context.Context, cfg Config) error {
	random := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	a := &agent{
		cfg:     &cfg,
		machine: newMachine(&cfg, random),
		dials:   make(chan dialed),
		reports: make(chan inbound),
		results: make(chan error),
		samples: make(chan sample),
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
	err := a.loop(work, ctx.Done())
	cancel()
	a.hangUp()
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
		case d := <-a.dials:
			actions = a.dialed(ctx, d)
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

// perform carries out actions in order; done with exit's error.
func (a *agent) perform(ctx context.Context, actions []action) (done bool, err error) {
	for len(actions) > 0 {
		act := actions[0]
		actions = actions[1:]
		switch act := act.(type) {
		case dial:
			a.dial(ctx, act.registrar)
		case send:
			if err := a.send(act.message); err != nil {
				actions = a.machine.lost(time.Now(), err)
			}
		case hangup:
			a.hangUp()
		case exit:
			return true, act.err
		}
	}
	return false, nil
}

func (a *agent) dial(ctx context.Context, r Registrar) {
	ctx, a.undial = context.WithCancel(ctx)
	a.dialing.Go(func() {
		session, err := connect(ctx, a.cfg, r)
		select {
		case a.dials <- dialed{session, err}:
		case <-ctx.Done():
			if session != nil {
				session.Close()
			}
		}
	})
}

func (a *agent) dialed(ctx context.Context, d dialed) []action {
	a.endDial()
	if d.err != nil {
		return a.machine.lost(time.Now(), d.err)
	}
	a.link = startLink(ctx, d.session, a.reports)
	return a.machine.connected(time.Now())
}

// endDial stops a dial that is under way and waits for its goroutine.
func (a *agent) endDial() {
	if a.undial != nil {
		a.undial()
		a.dialing.Wait()
		a.undial = nil
	}
}

func (a *agent) hangUp() {
	a.endDial()
	if a.link != nil {
		a.link.close()
		a.link = nil
	}
}

func (a *agent) send(message wire.Message) error {
	data, err := wire.AppendASAP(nil, message)
	if err != nil {
		return err
	}
	if !a.link.send(data) {
		return errNotReading
	}
	return nil
}

// receive parses one message, and obeys the rules for unknown messages and
// parameters (RFC 5354 3, RFC 5352 2.2.14).
func (a *agent) receive(in inbound) []action {
	if in.err != nil {
		return a.machine.lost(time.Now(), in.err)
	}
	message, err := wire.ParseASAP(in.data)
	var fault *wire.Error
	if errors.As(err, &fault) {
		a.cfg.Log.Debug("malformed message", "err", fault)
		if fault.Report {
			if err := a.send(&wire.ErrorMessage{Causes: fault.ErrorCauses()}); err != nil {
				return a.machine.lost(time.Now(), err)
			}
		}
	}
	if message == nil {
		return nil
	}
	return a.machine.received(time.Now(), message)
}

func (a *agent) reloadKeys() {
	if err := a.cfg.Keys.Reload(); err != nil {
		a.cfg.Log.Error("keys not reloaded, the old ones stay", "err", err)
	}
}
