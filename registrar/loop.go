// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/wire"
)

const (
	// inboxLen is how many messages of all sessions may wait for the loop. When it is full, the sessions' readers wait in
	// the order in which they came, each with one message: a peer that floods delays others by one message each.
	inboxLen = 256
	// admission is how long the gate admits a session; it is renewed at half of that.
	admission = time.Minute
	// stall is how late the loop may be for a deadline. If it was later, it was not running, and who did not answer
	// meanwhile may well have done so.
	stall = 250 * time.Millisecond
)

// loop is the event loop: the only user of the Core, and of the table of sessions.
type loop struct {
	cfg      Config
	core     *asap.Core
	tally    *tally
	journal  journal
	listener listener
	reload   <-chan []Grant
	accepted chan conn  // unbuffered: the acceptor waits for the loop
	inbox    chan event // see inboxLen
	sessions sessions
	serving  context.Context // of all sessions: it ends with Run
	tasks    sync.WaitGroup  // the acceptor, and two goroutines for each session
	stalled  bool            // what was due last was forgiven
}

// event is something that a session's reader has to tell: a message, a fault, both, or that the session has ended.
type event struct {
	from    *session
	message wire.Message
	fault   *wire.Error
	ended   bool
	reason  closeReason // why it ended
}

func newLoop(r *Registrar, serving context.Context) *loop {
	return &loop{
		cfg: r.cfg, core: r.core, tally: r.tally, journal: newJournal(r.cfg.Log), listener: r.listener,
		reload:   r.reload,
		accepted: make(chan conn), inbox: make(chan event, inboxLen), sessions: newSessions(), serving: serving,
	}
}

// accept hands finished handshakes to the loop until ctx ends or the listener fails.
func (l *loop) accept(ctx context.Context) error {
	for {
		c, err := l.listener.Accept(ctx)
		if err != nil {
			return fmt.Errorf("registrar: accept: %w", err)
		}
		select {
		case l.accepted <- c:
		case <-ctx.Done():
			c.Close() // the peer learns nothing from an error here
			return ctx.Err()
		}
	}
}

// run is the loop until ctx ends. Whatever comes after that is not looked at, so that the sessions that end with ctx take
// no element away.
func (l *loop) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	renewal := time.NewTicker(admission / 2)
	defer renewal.Stop()
	for ctx.Err() == nil {
		deadline := l.core.Deadline()
		arm(timer, deadline)
		select {
		case <-ctx.Done():
		case c := <-l.accepted:
			l.open(c)
		case e := <-l.inbox:
			l.take(ctx, e)
		case <-timer.C:
			l.lapse(ctx, deadline)
		case <-renewal.C:
			l.admitAll()
		case grants := <-l.reload:
			l.regrant(grants)
		}
		l.publish()
	}
}

func (l *loop) publish() { l.tally.publish(l.sessions.len(), l.core.Counters()) }

// arm sets the timer to the deadline; the zero time never comes.
func arm(timer *time.Timer, deadline time.Time) {
	timer.Stop()
	if !deadline.IsZero() {
		timer.Reset(time.Until(deadline))
	}
}

// lapse does what is due. What has already arrived is taken first: it may be the answer that is waited for. When the loop
// itself was late, nobody is blamed, but not twice in a row.
func (l *loop) lapse(ctx context.Context, deadline time.Time) {
	late := time.Since(deadline)
	for range len(l.inbox) {
		l.take(ctx, <-l.inbox)
	}
	l.stalled = late > stall && !l.stalled
	if l.stalled {
		l.cfg.Log.Warn("the registrar was not running; nobody is blamed for that time", "late", late)
		l.core.Forgive(time.Now())
	}
	l.apply(l.core.Tick(time.Now()))
}

// take handles one event, unless everything is over.
func (l *loop) take(ctx context.Context, e event) {
	switch {
	case ctx.Err() != nil:
	case e.ended:
		l.ended(e.from, e.reason)
	case e.from.closing: // it is being told why, and has nothing more to say
	default:
		l.message(e)
	}
}

func (l *loop) message(e event) {
	if e.fault != nil {
		l.fault(e.from, e.message, e.fault)
	}
	if e.message != nil && !e.from.closing {
		l.apply(l.core.Handle(time.Now(), e.from.identity, e.message))
	}
}

// apply does what the Core decided, and counts it first: who sees it may ask for Stats.
func (l *loop) apply(actions []asap.Action) {
	l.publish()
	for _, a := range actions {
		switch a := a.(type) {
		case asap.Refused:
			l.journal.write(slog.LevelWarn, a.By.Name(), "refused", "pool", shown(a.Key.Pool), "pe", a.Key.PE,
				"cause", a.Err.Cause, "reason", a.Err.Reason)
		case asap.Changed:
			l.changed(a)
		case asap.Send:
			if s := l.sessions.byID[a.Session]; s != nil {
				l.send(s, a.Message)
			}
		case asap.Close:
			if s := l.sessions.byID[a.Session]; s != nil {
				l.close(s, closeUnanswered)
			}
		}
	}
}

func (l *loop) changed(a asap.Changed) {
	for _, d := range a.Departed {
		l.journal.write(slog.LevelInfo, d.Element.Identity, "element left", "pool", shown(a.Pool.Handle()),
			"pe", d.Element.ID, "reason", d.Reason)
	}
	l.cfg.Log.Debug("pool changed", "pool", a.Pool.Handle(), "elements", a.Pool.Len())
	l.cfg.Observer.PoolChanged(a.Pool, a.Departed)
}

// regrant is Reload, in the loop.
func (l *loop) regrant(grants []Grant) {
	known := map[string]bool{}
	for _, name := range l.cfg.Keys.Identities() {
		known[name] = true
	}
	var valid []Grant
	for _, g := range grants {
		if known[g.Identity] {
			valid = append(valid, g)
		}
	}
	l.apply(l.core.SetGrants(time.Now(), valid))
	for name, list := range l.sessions.byName {
		if !known[name] {
			for _, s := range list {
				l.close(s, closeRevoked)
			}
		}
	}
}
