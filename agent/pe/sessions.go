// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"fmt"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

// sessions are those that are open. The home session is the one that the
// element registers over. The former one is kept until the new home has
// accepted the element, since its registrar may drop an element whose
// association ends. The others are of registrars that came to us, and wait for
// one to make itself the home (RFC 5352 3.4).
type sessions struct {
	home   via
	former via
	server wire.ServerID // the home's; zero: undetermined
	names  map[via]string
}

// current names the home registrar.
func (m *machine) current() string { return m.sessions.names[m.sessions.home] }

// connected is called when a round of the hunt has led to a session.
func (m *machine) connected(now time.Time, v via, name string) []action {
	m.sessions.names[v] = name
	m.phase = offline // the round is over
	m.moveHome(v)
	switch {
	case m.wanted():
		m.register(now)
	case m.owed:
		m.deregister(now)
	default:
		m.hangUp()
	}
	return m.step(now)
}

// opened is called with a session that a registrar opened.
func (m *machine) opened(now time.Time, v via, name string) []action {
	m.sessions.names[v] = name
	return m.step(now)
}

// unfound is called when a round of the hunt has failed.
func (m *machine) unfound(now time.Time, err error) []action {
	switch m.phase {
	case hunting:
		m.phase = offline // the round is over
		m.fail(now, "no connection", err)
	case doubting: // RFC 5352 3.7.2: send the request once more, and then hunt again
		m.log.Warn("no other registrar", "registrar", m.current(), "err", err)
		m.register(now)
	}
	return m.step(now)
}

// lost is called when a session has ended by itself.
func (m *machine) lost(now time.Time, v via, err error) []action {
	s := &m.sessions
	switch {
	case v != s.home:
		if v == s.former {
			s.former = 0
		}
		m.end(v)
	case m.phase == doubting: // the round goes on
		m.log.Warn("connection lost", "registrar", m.current(), "err", err)
		m.end(v)
		s.home, s.server, m.phase = 0, 0, hunting
	default:
		m.fail(now, "connection lost", err)
	}
	return m.step(now)
}

// unanswered is T2's expiry, or a silent home's. A registrar that has registered us may still list
// us: we go on answering it until another one has us (RFC 5352 3.1, 3.6).
func (m *machine) unanswered(now time.Time) {
	err := fmt.Errorf("no response within %v", now.Sub(m.sent).Round(time.Millisecond))
	if !m.owed {
		m.fail(now, "registration not answered", err)
		return
	}
	m.log.Warn("registration not answered", "registrar", m.current(), "err", err)
	m.do(distrust{m.sessions.home})
	m.do(seek{})
	m.phase, m.timer = doubting, time.Time{}
}

// adopt makes the sender of a keep-alive with H the home (RFC 5352 3.4 KA2.4),
// and registers there at once: so the new home learns which session is ours.
func (m *machine) adopt(now time.Time, v via, server wire.ServerID) {
	moved := v != m.sessions.home
	if moved {
		m.endSeek()
		m.moveHome(v)
	}
	m.sessions.server = server
	m.log.Info("adopted home registrar", "home", server.String(), "registrar", m.current())
	switch {
	case !moved:
	case m.wanted():
		m.register(now)
	default:
		m.deregister(now)
	}
}

// moveHome makes v the home. The home until now becomes the former one.
func (m *machine) moveHome(v via) {
	s := &m.sessions
	if s.former != 0 {
		m.end(s.former)
	}
	s.home, s.former, s.server, m.pulse = v, s.home, 0, pulse{}
}

// dropFormer ends the former home's session: the new one has the element.
func (m *machine) dropFormer() {
	if m.sessions.former != 0 {
		m.end(m.sessions.former)
		m.sessions.former = 0
	}
}

// end ends one session.
func (m *machine) end(v via) {
	delete(m.sessions.names, v)
	m.do(hangup{v})
}

func (m *machine) endSeek() {
	if m.phase == hunting || m.phase == doubting {
		m.do(endSeek{})
	}
}

// hangUp ends the hunt, and the sessions with the home and the former home.
func (m *machine) hangUp() {
	m.endSeek()
	m.dropFormer()
	if m.sessions.home != 0 {
		m.end(m.sessions.home)
	}
	m.sessions.home, m.sessions.server = 0, 0
	m.phase, m.timer = offline, time.Time{}
}
