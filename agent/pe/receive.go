// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"errors"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

// received is called with each message from the session.
func (m *machine) received(now time.Time, message wire.Message) []action {
	switch msg := message.(type) {
	case *wire.RegistrationResponse:
		m.registrationAnswered(now, msg)
	case *wire.DeregistrationResponse:
		m.deregistrationAnswered(now, msg)
	case *wire.EndpointKeepAlive:
		m.keepAlive(msg)
	case *wire.ErrorMessage:
		m.log.Warn("registrar reports an error", "registrar", m.current().String(), "cause", causeText(msg.Causes))
	default:
		m.log.Debug("message ignored", "type", message.Type().String())
	}
	return m.step(now)
}

// ours: is a message about this element?
func (m *machine) ours(pool wire.PoolHandle, id wire.PEID) bool {
	return pool == m.cfg.Pool && id == m.cfg.ID
}

// registrationAnswered ends T2 and starts T4 (RFC 5352 3.1).
func (m *machine) registrationAnswered(now time.Time, r *wire.RegistrationResponse) {
	if m.phase != registering || !m.ours(r.Pool, r.PE) {
		m.log.Debug("unexpected registration response ignored")
		return
	}
	if r.Reject {
		m.rejected(now, r.Causes)
		return
	}
	if len(r.Causes) > 0 { // RFC 5352 2.2.3: granted, with values changed
		m.log.Warn("registration granted with a warning", "cause", causeText(r.Causes))
	}
	wait := reregistration(m.cfg.Life)
	m.phase, m.timer = registered, now.Add(wait)
	m.accepted, m.owed, m.failures = true, true, 0
	m.log.Info("registered", "registrar", m.current().String(), "again_in", wait)
}

// rejected obeys RFC 5352 3.1: no second attempt without correcting the error.
// Only a lack of resources may mend itself.
func (m *machine) rejected(now time.Time, causes []wire.ErrorCause) {
	m.log.Warn("rejected", "registrar", m.current().String(), "cause", causeText(causes))
	switch {
	case !transient(causes):
		m.beginStop(now, m.rejection(causes))
		if !m.owed {
			m.hangUp()
		}
	case m.owed: // the old registration stands: hold the session and ask again
		m.failures++
		m.phase, m.timer = registered, now.Add(backoff(m.failures, m.random))
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
		wait := backoff(1, m.random) // a registrar that repeats this must not keep us busy
		m.log.Warn("registration expired", "registrar", m.current().String(), "retry_in", wait.Round(time.Millisecond))
		m.timer = now.Add(wait)
	case deregistering:
		m.deregistered(now, r.Causes)
	}
}

func (m *machine) deregistered(now time.Time, causes []wire.ErrorCause) {
	if len(causes) > 0 { // it will not be granted the next time either
		m.log.Warn("deregistration refused", "registrar", m.current().String(), "cause", causeText(causes))
	} else {
		m.log.Info("deregistered", "registrar", m.current().String())
	}
	if !m.wanted() {
		m.left(now)
		return
	}
	m.owed, m.leftAt = false, now
	m.register(now) // the server recovered while the answer was under way
}

// keepAlive follows RFC 5352 3.4. Over TCP the sender is always the registrar
// of this session, so that adopting it means to note its identifier.
func (m *machine) keepAlive(k *wire.EndpointKeepAlive) {
	if k.Pool != m.cfg.Pool || (k.PE != nil && *k.PE != m.cfg.ID) {
		return // KA1: silently
	}
	m.do(send{&wire.EndpointKeepAliveAck{Pool: m.cfg.Pool, PE: m.cfg.ID}})
	if k.Home && k.Server != m.home {
		m.home = k.Server
		m.log.Info("adopted home registrar", "home", m.home.String(), "registrar", m.current().String())
	}
}
