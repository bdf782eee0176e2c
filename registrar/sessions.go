// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/weir-lb/weir/registrar/enrp"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/wire"
)

const (
	// maxMalformed messages end a session.
	maxMalformed = 8
	// maxPerIdentity sessions of one identity may be open or closing; the next one ends the oldest, which most likely is one whose
	// end we did not notice. Nobody can so take all places, or be shut out by what is left of his own past. Those that have
	// proven nothing are one identity for each address, behind which there may be several.
	maxPerIdentity = 8
	maxPerAddress  = 256
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
	closeStranger                      // its identity is no registrar's, where registrars speak, or our own
	closeUseless                       // ENRP has no use for it: the peer has newer ones, or is ourselves
	closeReasons    = int(closeUseless) + 1
)

func (r closeReason) String() string {
	return [closeReasons]string{
		"peer", "broken", "malformed", "slow", "unanswered", "replaced", "revoked", "too_many",
		"stranger", "useless",
	}[r]
}

// sessions is the table of all that have not ended, closing ones too.
type sessions struct {
	byID     map[uint64]*session
	byName   map[string][]*session // by identity; the oldest first
	unproven int                   // those whose peer has proven nothing
}

func newSessions() sessions {
	return sessions{byID: map[uint64]*session{}, byName: map[string][]*session{}}
}

func (t *sessions) len() int { return len(t.byID) }

func (t *sessions) add(s *session) {
	t.byID[s.ID()] = s
	name := s.identity.Name()
	t.byName[name] = append(t.byName[name], s)
	if !s.proven() {
		t.unproven++
	}
}

func (t *sessions) remove(s *session) {
	delete(t.byID, s.ID())
	name := s.identity.Name()
	left := slices.DeleteFunc(t.byName[name], func(o *session) bool { return o == s })
	t.byName[name] = left
	if len(left) == 0 {
		delete(t.byName, name)
	}
	if !s.proven() {
		t.unproven--
	}
}

func (s *session) proven() bool { return s.identity.Kind() == handlespace.Proven }

// open begins a session that the other end asked for.
func (l *loop) open(a arrival) {
	server, ok := l.cfg.whose(a)
	if !ok {
		l.turnAway(newSession(a.c, a.speaks, 0, nil), closeStranger)
		return
	}
	s := l.begin(a.c, a.speaks, server)
	if s == nil {
		return
	}
	s.accepted = true
	l.admit(s)
	if s.speaks == speaksENRP {
		l.toENRP(func() []enrp.Action { return l.enrp.Connected(time.Now(), s.from(), 0) })
	}
}

// whose is the registrar whose identity a session's peer has proven, 0 where nobody has to be one; false if it should be
// one and is not, or has proven an identity of our own, which only somebody who leads our dials back to us can (RFC 9257 4.1).
func (c *Config) whose(a arrival) (wire.ServerID, bool) {
	if a.c.Kind() == transport.Proven {
		for _, p := range c.Peers {
			switch identity := a.c.Peer(); {
			case identity == p.As:
				return 0, false
			case identity == p.Identity && a.speaks == speaksENRP:
				return p.Server, true
			}
		}
	}
	return 0, a.speaks == speaksASAP || c.Unsecured
}

// begin begins a session, of either side's making, or turns it away: then it returns nil.
func (l *loop) begin(c conn, speaks language, server wire.ServerID) *session {
	ctx, cancel := context.WithCancel(l.serving)
	s := newSession(c, speaks, server, cancel)
	if why, ok := l.hasPlace(s); !ok {
		cancel()
		l.turnAway(s, why)
		return nil
	}
	l.replaceOldest(s)
	l.sessions.add(s)
	l.tally.open()
	l.journal.write(slog.LevelInfo, s.identity.Name(), "session opened", "remote", c.RemoteAddrs(), "speaks", speaks)
	l.tasks.Go(func() { s.serve(ctx, l.serving, l.ready[speaks], l.inbox) })
	return s
}

// hasPlace says whether there may be such a session, or why not. Other registrars always have one.
func (l *loop) hasPlace(s *session) (why closeReason, ok bool) {
	switch {
	case s.proven() && !l.cfg.Keys.Has(s.Peer()): // taken out during the handshake: Reload did not see it
		return closeRevoked, false
	case s.server != 0:
		return 0, true
	case l.sessions.len() >= l.cfg.MaxSessions:
		return closeTooMany, false
	case !s.proven() && !l.cfg.Unsecured && l.sessions.unproven >= max(1, l.cfg.MaxSessions/2):
		return closeTooMany, false
	}
	return 0, true
}

// turnAway ends a session that has not begun.
func (l *loop) turnAway(s *session, why closeReason) {
	l.tally.close(why)
	l.journal.write(slog.LevelWarn, s.identity.Name(), "session turned away", "remote", s.RemoteAddrs(), "reason", why)
	l.tasks.Go(func() { s.Close() }) // it may take a moment, and its error tells nobody anything
}

// replaceOldest makes room among the sessions of one identity. Those that are closing count: a peer that does not read
// could else have any number of them.
func (l *loop) replaceOldest(by *session) {
	limit := maxPerIdentity
	if !by.proven() {
		limit = maxPerAddress
	}
	all := l.sessions.byName[by.identity.Name()]
	for _, s := range all[:max(0, len(all)-limit+1)] {
		l.close(s, closeReplaced)
		s.cancel()
	}
}

// close tells its Core that a session is over, and ends it after what waits to be written. That must be done in
// writeTimeout; who does not read or was replaced is not waited for at all.
func (l *loop) close(s *session, why closeReason) {
	if s.closing {
		return
	}
	s.closing = true
	l.tally.close(why)
	l.journal.write(slog.LevelInfo, s.identity.Name(), "session closed", "remote", s.RemoteAddrs(), "reason", why)
	close(s.outbox)
	if why == closeSlow || why == closeReplaced {
		s.cancel()
	} else {
		time.AfterFunc(writeTimeout, s.cancel)
	}
	if s.speaks == speaksENRP {
		l.toENRP(func() []enrp.Action { return l.enrp.Closed(time.Now(), s.ID()) })
	} else {
		l.apply(l.asap.Closed(time.Now(), s.identity))
	}
}

// ended forgets a session whose goroutines are done.
func (l *loop) ended(s *session, why closeReason) {
	l.close(s, why)
	l.sessions.remove(s)
	l.revoke(s)
}

// send queues an ASAP message, unless the session is closing.
func (l *loop) send(s *session, m wire.Message) {
	b, err := wire.AppendASAP(nil, m)
	l.put(s, b, err)
}

// sendENRP queues an ENRP message likewise.
func (l *loop) sendENRP(s *session, m wire.ENRPMessage) {
	b, err := wire.AppendENRP(nil, m)
	l.put(s, b, err)
}

func (l *loop) put(s *session, b []byte, err error) {
	switch {
	case s.closing:
	case err != nil:
		l.journal.write(slog.LevelError, s.identity.Name(), "a message cannot be sent", "error", err)
	case !s.put(b):
		l.close(s, closeSlow)
	}
}

// fault deals with what is wrong with a message: one that was taken all the same has parameters to report, any other is
// discarded (RFC 5354 section 3). Unknown messages alone end no session: they may be of a later version.
func (l *loop) fault(e event) {
	s, taken, unknown := e.from, e.asap != nil || e.enrp != nil, e.fault.Cause == wire.CauseUnrecognizedMessage
	l.tally.fault(!taken && !unknown)
	l.cfg.Log.Debug("fault in a message", "identity", s.identity.Name(), "error", e.fault)
	switch {
	case s.speaks == speaksENRP:
		l.toENRP(func() []enrp.Action { return l.enrp.Fault(time.Now(), s.from(), e.fault) })
	case e.fault.Report:
		l.send(s, &wire.ErrorMessage{Causes: e.fault.ErrorCauses()})
	}
	if taken || unknown {
		return
	}
	if s.malformed++; s.malformed >= maxMalformed {
		l.close(s, closeMalformed)
	}
}

// guarded says whether the gate knows of a session: the guard is in front of our own ports, for TCP.
func (s *session) guarded() bool { return s.accepted && s.Protocol() == wire.ProtocolTCP }

func (l *loop) admit(s *session) {
	if !s.guarded() {
		return
	}
	if err := l.cfg.Gate.Admit(s.LocalAddrs()[0], s.RemoteAddrs(), time.Now().Add(admission)); err != nil {
		l.gateFailed(s, fmt.Errorf("admit: %w", err))
	}
}

func (l *loop) admitAll() {
	for _, s := range l.sessions.byID {
		l.admit(s)
	}
}

func (l *loop) revoke(s *session) {
	if !s.guarded() {
		return
	}
	if err := l.cfg.Gate.Revoke(s.LocalAddrs()[0], s.RemoteAddrs()); err != nil {
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
	l.journal.write(slog.LevelError, s.identity.Name(), "the guard does not follow", "remote", s.RemoteAddrs(), "error", err)
}
