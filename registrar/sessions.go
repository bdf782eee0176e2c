// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

const (
	// maxMalformed messages end a session.
	maxMalformed = 8
	// maxPerIdentity sessions of one identity may be open or closing; the next one ends the oldest, which most likely is one whose
	// end we did not notice. Nobody can so take all places, or be shut out by what is left of his own past.
	maxPerIdentity = 8
)

// closeReason says why a session ended: a label of Stats.
type closeReason uint8

const (
	closePeer       closeReason = iota // the peer ended it
	closeBroken                        // the connection failed, or carried what is no message
	closeMalformed                     // too many messages were malformed
	closeSlow                          // the peer did not read
	closeUnanswered                    // a keep-alive was not answered
	closeReplaced                      // its identity opened too many others
	closeRevoked                       // its identity has no key any more
	closeTooMany                       // there were too many sessions already
	closeReasons    = int(closeTooMany) + 1
)

func (r closeReason) String() string {
	return [closeReasons]string{
		"peer", "broken", "malformed", "slow", "unanswered", "replaced", "revoked", "too_many",
	}[r]
}

// sessions is the table of all that have not ended, closing ones too.
type sessions struct {
	byID   map[uint64]*session
	byName map[string][]*session // by identity; the oldest first
}

func newSessions() sessions {
	return sessions{byID: map[uint64]*session{}, byName: map[string][]*session{}}
}

func (t sessions) len() int { return len(t.byID) }

func (t sessions) add(s *session) {
	t.byID[s.ID()] = s
	t.byName[s.Peer()] = append(t.byName[s.Peer()], s)
}

func (t sessions) remove(s *session) {
	delete(t.byID, s.ID())
	left := slices.DeleteFunc(t.byName[s.Peer()], func(o *session) bool { return o == s })
	t.byName[s.Peer()] = left
	if len(left) == 0 {
		delete(t.byName, s.Peer())
	}
}

// open begins a session: admitted by the gate, then read.
func (l *loop) open(c conn) {
	switch {
	case !slices.Contains(l.cfg.Keys.Identities(), c.Peer()): // taken out during the handshake: Reload did not see it
		l.turnAway(c, closeRevoked)
		return
	case l.sessions.len() >= l.cfg.MaxSessions:
		l.turnAway(c, closeTooMany)
		return
	}
	l.replaceOldest(c.Peer())
	ctx, cancel := context.WithCancel(l.serving)
	s := newSession(c, cancel)
	l.sessions.add(s)
	l.tally.open()
	l.journal.write(slog.LevelInfo, c.Peer(), "session opened", "remote", c.RemoteAddrs())
	l.admit(s)
	l.tasks.Go(func() { s.serve(ctx, l.serving, l.inbox) })
}

// turnAway ends a session that has not begun.
func (l *loop) turnAway(c conn, why closeReason) {
	l.tally.close(why)
	l.journal.write(slog.LevelWarn, c.Peer(), "session turned away", "remote", c.RemoteAddrs(), "reason", why)
	l.tasks.Go(func() { c.Close() }) // it may take a moment, and its error tells nobody anything
}

// replaceOldest makes room among the sessions of one identity. Those that are closing count: a peer that does not read
// could else have any number of them.
func (l *loop) replaceOldest(name string) {
	all := l.sessions.byName[name]
	for _, s := range all[:max(0, len(all)-maxPerIdentity+1)] {
		l.close(s, closeReplaced)
		s.cancel()
	}
}

// close tells the Core that a session is over, and ends it after what waits to be written. That must be done in
// writeTimeout; who does not read or was replaced is not waited for at all.
func (l *loop) close(s *session, why closeReason) {
	if s.closing {
		return
	}
	s.closing = true
	l.tally.close(why)
	l.journal.write(slog.LevelInfo, s.Peer(), "session closed", "remote", s.RemoteAddrs(), "reason", why)
	close(s.outbox)
	if why == closeSlow || why == closeReplaced {
		s.cancel()
	} else {
		time.AfterFunc(writeTimeout, s.cancel)
	}
	l.apply(l.core.Closed(time.Now(), s.identity))
}

// ended forgets a session whose goroutines are done.
func (l *loop) ended(s *session, why closeReason) {
	l.close(s, why)
	l.sessions.remove(s)
	l.revoke(s)
}

// send queues a message, unless the session is closing.
func (l *loop) send(s *session, m wire.Message) {
	if s.closing {
		return
	}
	b, err := wire.AppendASAP(nil, m)
	if err != nil {
		l.journal.write(slog.LevelError, s.Peer(), "a message cannot be sent", "error", err)
		return
	}
	if !s.put(b) {
		l.close(s, closeSlow)
	}
}

// fault deals with what is wrong with a message: one that was taken all the same has parameters to report, any other is
// discarded (RFC 5354 section 3). Unknown messages alone end no session: they may be of a later version.
func (l *loop) fault(s *session, m wire.Message, fault *wire.Error) {
	unknown := fault.Cause == wire.CauseUnrecognizedMessage
	l.tally.fault(m == nil && !unknown)
	l.cfg.Log.Debug("fault in a message", "identity", s.Peer(), "error", fault)
	if fault.Report {
		l.send(s, &wire.ErrorMessage{Causes: fault.ErrorCauses()})
	}
	if m != nil || unknown {
		return
	}
	if s.malformed++; s.malformed >= maxMalformed {
		l.close(s, closeMalformed)
	}
}

func (l *loop) admit(s *session) {
	if err := l.cfg.Gate.Admit(s.RemoteAddrs(), time.Now().Add(admission)); err != nil {
		l.gateFailed(s, fmt.Errorf("admit: %w", err))
	}
}

func (l *loop) admitAll() {
	for _, s := range l.sessions.byID {
		l.admit(s)
	}
}

func (l *loop) revoke(s *session) {
	if err := l.cfg.Gate.Revoke(s.RemoteAddrs()); err != nil {
		l.gateFailed(s, fmt.Errorf("revoke: %w", err))
	}
}

func (l *loop) revokeAll() {
	for _, s := range l.sessions.byID {
		l.revoke(s)
	}
}

func (l *loop) gateFailed(s *session, err error) {
	l.tally.gateFailed()
	l.journal.write(slog.LevelError, s.Peer(), "the guard does not follow", "remote", s.RemoteAddrs(), "error", err)
}
