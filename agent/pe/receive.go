// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"errors"
	"time"

	"github.com/weir-lb/weir/agent/hunt"
	"github.com/weir-lb/weir/registrar/wire"
)

// received is called with each message of a session.
func (m *machine) received(now time.Time, v via, message wire.Message) []action {
	from := m.sessions.names[v]
	switch msg := message.(type) {
	case *wire.EndpointKeepAlive:
		m.keepAlive(now, v, msg)
	case *wire.ErrorMessage:
		m.log.Warn("registrar reports an error", "registrar", from, "cause", causeText(msg.Causes))
	case *wire.RegistrationResponse:
		if v == m.sessions.home {
			m.registrationAnswered(now, msg)
		}
	case *wire.DeregistrationResponse:
		if v == m.sessions.home {
			m.deregistrationAnswered(now, msg)
		}
	default:
		m.log.Debug("message ignored", "registrar", from, "type", message.Type().String())
	}
	return m.step(now)
}

// malformed is called for a message that the sender wants to hear about (RFC
// 5354 3, RFC 5352 2.2.14).
func (m *machine) malformed(now time.Time, v via, causes []wire.ErrorCause) []action {
	if m.mayAnswer(now, v) {
		m.do(send{v, &wire.ErrorMessage{Causes: causes}})
	}
	return m.step(now)
}

// ours: is a message about this element?
func (m *machine) ours(pool wire.PoolHandle, id wire.PEID) bool {
	return pool == m.cfg.Pool && id == m.cfg.ID
}

// registrationAnswered ends T2 and starts T4 (RFC 5352 3.1).
func (m *machine) registrationAnswered(now time.Time, r *wire.RegistrationResponse) {
	waiting := m.phase == registering || m.phase == doubting // a late answer is one
	if !waiting || !m.ours(r.Pool, r.PE) {
		m.log.Debug("unexpected registration response ignored")
		return
	}
	m.pulse.spoke(now)
	m.endSeek()
	if r.Reject {
		m.phase = registering // the round is over
		m.rejected(now, r.Causes)
		return
	}
	if len(r.Causes) > 0 { // RFC 5352 2.2.3: granted, with values changed
		m.log.Warn("registration granted with a warning", "cause", causeText(r.Causes))
	}
	m.dropFormer()
	wait := reregistration(m.cfg.Life)
	m.phase, m.timer = registered, now.Add(wait)
	m.accepted, m.owed, m.failures = true, true, 0
	m.log.Info("registered", "registrar", m.current(), "again_in", wait)
}

// rejected obeys RFC 5352 3.1: no second attempt without correcting the error.
// Only a lack of resources may mend itself.
func (m *machine) rejected(now time.Time, causes []wire.ErrorCause) {
	m.log.Warn("rejected", "registrar", m.current(), "cause", causeText(causes))
	switch {
	case !transient(causes):
		m.beginStop(now, m.rejection(causes))
		if !m.owed {
			m.hangUp()
		}
	case m.owed: // the old registration stands: hold the session and ask again
		m.failures++
		m.phase, m.timer = registered, now.Add(hunt.Backoff(m.failures, m.random))
		m.told.at = m.timer // a new load does not cut the wait short
	default:
		m.fail(now, "registrar is full", errors.New("raise its limits or wait"))
	}
}

// deregistrationAnswered ends T3, or tells that the registration's life is over
// (RFC 5352 3.2).
func (m *machine) deregistrationAnswered(now time.Time, r *wire.DeregistrationResponse) {
	if !m.ours(r.Pool, r.PE) {
		m.log.Debug("unexpected deregistration response ignored")
		return
	}
	switch m.phase {
	case registered:
		wait := hunt.Backoff(1, m.random) // a registrar that repeats this must not keep us busy
		m.log.Warn("registration expired", "registrar", m.current(), "retry_in", wait.Round(time.Millisecond))
		m.timer = now.Add(wait)
	case deregistering:
		m.deregistered(now, r.Causes)
	}
}

func (m *machine) deregistered(now time.Time, causes []wire.ErrorCause) {
	if len(causes) > 0 { // it will not be granted the next time either
		m.log.Warn("deregistration refused", "registrar", m.current(), "cause", causeText(causes))
	} else {
		m.log.Info("deregistered", "registrar", m.current())
	}
	if !m.wanted() {
		m.left(now)
		return
	}
	m.owed, m.leftAt = false, now
	m.register(now) // the server recovered while the answer was under way
}

// keepAlive follows RFC 5352 3.4. An element that has left the pool must not
// vouch for itself.
func (m *machine) keepAlive(now time.Time, v via, k *wire.EndpointKeepAlive) {
	if k.Pool != m.cfg.Pool || (k.PE != nil && *k.PE != m.cfg.ID) {
		return // KA1: silently
	}
	if v == m.sessions.home {
		m.pulse.beat(now)
	}
	if (!m.wanted() && !m.owed) || !m.mayAnswer(now, v) {
		return
	}
	m.do(send{v, &wire.EndpointKeepAliveAck{Pool: m.cfg.Pool, PE: m.cfg.ID}})
	if k.Home && k.Server != m.sessions.server {
		m.adopt(now, v, k.Server)
	}
}
