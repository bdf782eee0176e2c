// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/enrp"
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

// loop is the event loop: the only user of the two Cores, and of the table of sessions.
type loop struct {
	cfg       Config
	asap      *asap.Core
	enrp      *enrp.Core
	tally     *tally
	journal   journal
	groups    groups
	dial      dialFunc
	reload    <-chan []Grant
	requests  <-chan func(*loop)
	arrivals  chan arrival // unbuffered: the acceptors wait for the loop
	dialledTo chan dialled // unbuffered: no more wait than were tried
	hints     chan hint    // see hintsLen
	inbox     chan event   // see inboxLen
	sessions  sessions
	serving   context.Context  // of all sessions: it ends with Run
	tasks     sync.WaitGroup   // acceptors, dials, those who listen to groups, and two goroutines for each session
	ready     [2]chan struct{} // closed when a language is spoken: ASAP when the handlespace is whole, ENRP at once
	stalled   bool             // what was due last was forgiven

	calls         []func() []enrp.Action // of the ENRP Core, see toENRP
	reaching      reaching
	announcements announcements
}

// arrival is a session that the other end asked for.
type arrival struct {
	c      conn
	speaks language
}

func newLoop(r *Registrar, serving context.Context) *loop {
	l := &loop{
		cfg: r.cfg, asap: r.asap, enrp: r.enrp, tally: r.tally, journal: newJournal(r.cfg.Log), groups: r.groups,
		dial: r.dial, reload: r.reload, requests: r.requests,
		arrivals: make(chan arrival), dialledTo: make(chan dialled), hints: make(chan hint, hintsLen),
		inbox: make(chan event, inboxLen), sessions: newSessions(), serving: serving,
		ready: [2]chan struct{}{make(chan struct{}), make(chan struct{})},
		announcements: announcements{
			cycle: cmp.Or(r.cfg.Timers.T6Serverannounce, time.Second), heard: map[wire.ServerID]time.Time{},
		},
	}
	close(l.ready[speaksENRP])
	return l
}

// accept hands finished handshakes to the loop until ctx ends or the listener fails.
func (l *loop) accept(ctx context.Context, at listening) error {
	for {
		c, err := at.Accept(ctx)
		if err != nil {
			return fmt.Errorf("registrar: accept at %v: %w", at.Addr(), err)
		}
		select {
		case l.arrivals <- arrival{c, at.speaks}:
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
	l.toENRP(func() []enrp.Action { return l.enrp.Start(time.Now()) })
	for ctx.Err() == nil {
		deadline := l.deadline()
		arm(timer, deadline)
		select {
		case <-ctx.Done():
		case a := <-l.arrivals:
			l.open(a)
		case d := <-l.dialledTo:
			l.dialled(d)
		case e := <-l.inbox:
			l.take(ctx, e)
		case h := <-l.hints:
			l.hinted(time.Now(), h)
		case <-timer.C:
			l.lapse(ctx, deadline)
		case <-renewal.C:
			l.admitAll()
		case grants := <-l.reload:
			l.regrant(grants)
		case do := <-l.requests:
			do(l)
		}
		l.publish()
	}
}

func (l *loop) publish() { l.tally.publish(l.sessions.len(), l.asap.Counters(), l.enrp.Counters()) }

// deadline is when something is due; the zero time never comes.
func (l *loop) deadline() time.Time {
	first := l.announcements.next
	for _, t := range []time.Time{l.asap.Deadline(), l.enrp.Deadline()} {
		if first.IsZero() || !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return first
}

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
		l.asap.Forgive(time.Now())
		l.enrp.Forgive(time.Now())
	}
	l.apply(l.asap.Tick(time.Now()))
	l.toENRP(func() []enrp.Action { return l.enrp.Tick(time.Now()) })
	l.announce(time.Now())
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
		l.fault(e)
	}
	switch s := e.from; {
	case s.closing:
	case e.asap != nil:
		l.apply(l.asap.Handle(time.Now(), s.identity, e.asap))
	case e.enrp != nil:
		l.toENRP(func() []enrp.Action { return l.enrp.Handle(time.Now(), s.from(), e.enrp) })
	}
}

// regrant is Reload, in the loop.
func (l *loop) regrant(grants []Grant) {
	if l.cfg.Unsecured { // without keys there are neither identities nor grants
		return
	}
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
	l.apply(l.asap.SetGrants(time.Now(), valid))
	for name, list := range l.sessions.byName {
		for _, s := range list {
			if s.proven() && !known[name] {
				l.close(s, closeRevoked)
			}
		}
	}
}
