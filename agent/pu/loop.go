// SPDX-License-Identifier: Apache-2.0

package pu

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/weir-lb/weir/agent/hunt"
	"github.com/weir-lb/weir/agent/link"
	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/wire"
)

// sendQueue is how many messages may wait for the socket. A full queue means
// that the registrar does not read: the session is then given up.
const sendQueue = 256

type finding = hunt.Found[*transport.Session]

// found is the end of a hunt: a session or an error.
type found struct {
	finding
	err error
}

// loop is the one goroutine that owns the machine and the session.
type loop struct {
	log     *slog.Logger
	machine *machine
	cache   *cache
	hunter  *hunt.Hunter[*transport.Session]

	calls   chan func(now time.Time) []action // from the User's methods
	found   chan found
	reports chan link.Report // without a buffer

	link    *link.Link         // nil without a session
	cease   context.CancelFunc // nil without a hunt
	hunting sync.WaitGroup
}

func (l *loop) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	defer l.hangUp()
	defer l.endHunt()
	var actions []action
	for {
		l.perform(ctx, actions)
		if at := l.machine.deadline(); !at.IsZero() {
			timer.Reset(time.Until(at))
		} else {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
			return
		case call := <-l.calls:
			actions = call(time.Now())
		case f := <-l.found:
			actions = l.take(ctx, f)
		case in := <-l.reports:
			actions = l.receive(in)
		case <-timer.C:
			actions = l.machine.tick(time.Now())
		}
	}
}

// perform carries out actions in order.
func (l *loop) perform(ctx context.Context, actions []action) {
	for len(actions) > 0 {
		act := actions[0]
		actions = actions[1:]
		switch act := act.(type) {
		case seek:
			l.seek(ctx)
		case cease:
			l.endHunt()
		case blame:
			l.blame()
		case hangup:
			l.hangUp()
		case send:
			if err := l.send(act.message); err != nil {
				l.blame()
				l.hangUp() // at once: what else is to be sent has nowhere to go
				actions = append(actions, l.machine.lost(time.Now(), err)...)
			}
		case settle:
			l.cache.settle(act, time.Now())
		case unlive:
			l.cache.unlive(act.pool)
		}
	}
}

func (l *loop) seek(ctx context.Context) {
	ctx, l.cease = context.WithCancel(ctx)
	sessions := 0
	if l.link != nil { // a hunt for another registrar than the one that does not answer
		sessions = 1
	}
	l.hunting.Go(func() {
		f, err := l.hunter.RoundBeside(ctx, sessions)
		select {
		case l.found <- found{f, err}:
		case <-ctx.Done():
			if err == nil {
				_ = f.Session.Close() // nobody wants it any more
			}
		}
	})
}

// endHunt stops a hunt that is under way and waits for its goroutine.
func (l *loop) endHunt() {
	if l.cease != nil {
		l.cease()
		l.hunting.Wait()
		l.cease = nil
	}
}

// take adopts the registrar that was found as the home registrar.
func (l *loop) take(ctx context.Context, f found) []action {
	l.endHunt()
	if f.err != nil {
		return l.machine.notFound(time.Now(), f.err)
	}
	l.hangUp()
	l.link = link.Start(ctx, 0, &f.Target, f.Session, sendQueue, l.reports)
	l.log.Debug("home registrar", "registrar", f.Target.String())
	return l.machine.connected(time.Now())
}

// blame makes the home registrar the last choice of the next hunt.
func (l *loop) blame() {
	if l.link != nil {
		l.hunter.Failed(*l.link.Target)
	}
}

func (l *loop) hangUp() {
	if l.link != nil {
		l.link.Close()
		l.link = nil
	}
}

func (l *loop) send(message wire.Message) error {
	if l.link == nil {
		return nil // it failed with an earlier message of the same event
	}
	data, err := wire.AppendASAP(nil, message)
	if err != nil {
		return err
	}
	if !l.link.Send(data) {
		return link.ErrNotReading
	}
	return nil
}

// receive parses one message, and obeys the rules for unknown messages and
// parameters (RFC 5354 3, RFC 5352 2.2.14).
func (l *loop) receive(in link.Report) []action {
	if in.Err != nil {
		return l.machine.lost(time.Now(), in.Err)
	}
	message, err := wire.ParseASAP(in.Data)
	var fault *wire.Error
	if errors.As(err, &fault) {
		l.log.Debug("malformed message", "err", fault)
		if fault.Report {
			if err := l.send(&wire.ErrorMessage{Causes: fault.ErrorCauses()}); err != nil {
				return l.machine.lost(time.Now(), err)
			}
		}
	}
	if message == nil {
		return nil
	}
	return l.machine.received(time.Now(), message)
}
