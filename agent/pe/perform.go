// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/weir-lb/weir/agent/hunt"
	"github.com/weir-lb/weir/agent/link"
	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/wire"
)

// sendQueue is how many messages may wait for the socket. An element sends one
// answer per keep-alive and little else, so that a full queue means that the
// registrar does not read: the session is then given up.
const sendQueue = 32

// perform carries out actions in order; done with exit's error.
func (a *agent) perform(ctx context.Context, actions []action) (done bool, err error) {
	for len(actions) > 0 {
		act := actions[0]
		actions = actions[1:]
		switch act := act.(type) {
		case seek:
			a.seek(ctx)
		case endSeek:
			a.stopSeeking()
		case distrust:
			if l := a.links[act.via]; l != nil && l.Target != nil {
				a.hunter.Failed(*l.Target)
			}
		case send:
			if err := a.send(act.via, act.message); err != nil {
				actions = append(actions, a.machine.lost(time.Now(), act.via, err)...)
			}
		case hangup:
			a.close(act.via)
		case exit:
			return true, act.err
		}
	}
	return false, nil
}

// seek begins a round of the hunt.
func (a *agent) seek(ctx context.Context) {
	ctx, a.endSeek = context.WithCancel(ctx)
	a.seeking.Go(func() {
		found, err := a.hunter.Round(ctx)
		select {
		case a.rounds <- round{found, err}:
		case <-ctx.Done():
			if err == nil {
				_ = found.Session.Close() // nobody wants it any more
			}
		}
	})
}

func (a *agent) sought(ctx context.Context, r round) []action {
	a.stopSeeking()
	if r.err != nil {
		return a.machine.unfound(time.Now(), r.err)
	}
	v := a.open(ctx, r.found.Session, &r.found.Target)
	return a.machine.connected(time.Now(), v, r.found.Target.String())
}

// stopSeeking ends a round that is under way and waits for its goroutine.
func (a *agent) stopSeeking() {
	if a.endSeek != nil {
		a.endSeek()
		a.seeking.Wait()
		a.endSeek = nil
	}
}

// open takes a session into the loop's care.
func (a *agent) open(ctx context.Context, session *transport.Session, target *hunt.Target) via {
	a.lastVia++
	a.links[a.lastVia] = link.Start(ctx, a.lastVia, target, session, sendQueue, a.reports)
	return a.lastVia
}

// visited takes in a session that a registrar opened. Without a place for it the
// oldest visitor goes that is of no use yet.
func (a *agent) visited(ctx context.Context, session *transport.Session) (actions []action) {
	if oldest := a.visitors(); len(oldest) >= maxVisitors {
		actions = a.machine.lost(time.Now(), oldest[0], errCrowded)
	}
	v := a.open(ctx, session, nil)
	return append(actions, a.machine.opened(time.Now(), v, session.RemoteAddrs()[0].String())...)
}

// visitors are the registrars that came to us, but for a home, in this order.
func (a *agent) visitors() []via {
	var all []via
	for v, l := range a.links {
		if l.Target == nil && v != a.machine.sessions.home && v != a.machine.sessions.former {
			all = append(all, v)
		}
	}
	slices.Sort(all)
	return all
}

func (a *agent) close(v via) {
	if l := a.links[v]; l != nil {
		l.Close()
		delete(a.links, v)
	}
}

func (a *agent) closeAll() {
	for v := range a.links {
		a.close(v)
	}
}

// send does nothing without the session: its end is on its way to the machine.
func (a *agent) send(v via, message wire.Message) error {
	l := a.links[v]
	if l == nil {
		return nil
	}
	data, err := wire.AppendASAP(nil, message)
	if err != nil {
		return err
	}
	if !l.Send(data) {
		return link.ErrNotReading
	}
	return nil
}

// receive parses one message, and obeys the rules for unknown messages and
// parameters (RFC 5354 3, RFC 5352 2.2.14).
func (a *agent) receive(in link.Report) []action {
	if in.Err != nil {
		return a.machine.lost(time.Now(), in.Via, in.Err)
	}
	var actions []action
	message, err := wire.ParseASAP(in.Data)
	var fault *wire.Error
	if errors.As(err, &fault) {
		a.cfg.Log.Debug("malformed message", "err", fault)
		if fault.Report {
			actions = a.machine.malformed(time.Now(), in.Via, fault.ErrorCauses())
		}
	}
	if message == nil {
		return actions
	}
	return append(actions, a.machine.received(time.Now(), in.Via, message)...)
}
