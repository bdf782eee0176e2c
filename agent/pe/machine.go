// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/weir-lb/weir/agent/hunt"
	"github.com/weir-lb/weir/agent/link"
	"github.com/weir-lb/weir/registrar/wire"
)

// phase is where the machine stands with its home registrar. There is a home
// session from registering on.
type phase uint8

const (
	offline       phase = iota // timer: when to hunt; zero if nothing asks for it
	hunting                    // no timer, a round of the hunt has its own limit
	registering                // timer: T2, or less for a silent home
	registered                 // timer: T4
	doubting                   // no answer to a registration that repeats one; hunting beside it
	deregistering              // timer: T3
)

// via names a session; zero is none.
type via = link.Via

// action is what Run has to do for the machine: one of those below.
type action any

type (
	seek     struct{} // a round of the hunt, answered by connected or unfound
	endSeek  struct{} // end the round that is under way: neither comes
	distrust struct{ via via }
	send     struct {
		via     via
		message wire.Message
	}
	hangup struct{ via via }   // end the session; lost is not called for it
	exit   struct{ err error } // the last action
)

// machine is the element's protocol state. Every event takes the time and
// returns what to do; tick must be called when deadline has come.
type machine struct {
	cfg    *Config
	log    *slog.Logger
	random *rand.Rand
	asap   *wire.Transport // where registrars can come to us; may be nil

	phase    phase
	timer    time.Time
	failures int       // in a row without a successful registration
	accepted bool      // a registrar has accepted us at least once
	owed     bool      // a registrar may list us until we deregister
	leftAt   time.Time // when it left the pool last; zero: never, so no drain is left
	sessions sessions
	answers  allowance
	health   health
	meter    meter
	told     loadReport
	pulse    pulse     // the home's
	sent     time.Time // the last registration

	stopping bool
	giveUpAt time.Time // stopping: when the deregistration is no longer waited for
	result   error     // stopping: what exit will carry
	exited   bool

	out []action
}

func newMachine(cfg *Config, random *rand.Rand) *machine {
	m := &machine{cfg: cfg, random: random, sessions: sessions{names: map[via]string{}}}
	m.log = cfg.Log.With("pool", string(cfg.Pool), "pe", cfg.ID.String())
	if cfg.Check == nil {
		m.health = health{well: true, judged: true}
	}
	m.meter.judged = cfg.Load == nil
	return m
}

// start is the first event.
func (m *machine) start(now time.Time) []action { return m.step(now) }

// checked is called with the result of each health check.
func (m *machine) checked(now time.Time, err error) []action {
	first := !m.health.judged
	changed := m.health.record(err == nil)
	switch {
	case first && err != nil:
		m.log.Warn("server not ready", "err", err)
	case changed && m.health.well:
		m.log.Info("server is well")
	case changed:
		m.log.Warn("server check failed", "times", failuresToDown, "err", err)
	case err != nil:
		m.log.Debug("server check failed", "err", err)
	}
	return m.step(now)
}

// measured is called with the result of each measurement of the load. What
// follows from a changed load is in deadline.
func (m *machine) measured(now time.Time, sample float64, err error) []action {
	switch m.meter.record(sample, err) {
	case firstFailure:
		m.log.Warn("load not measured, the last one stays", "err", err)
	case countsAsFull:
		m.log.Warn("load not measured, it counts as full", "times", unmeasured, "err", err)
	case failedLikeBefore:
		m.log.Debug("load not measured", "err", err)
	case measuredAgain:
		m.log.Info("load measured again")
	}
	return m.step(now)
}

// nudge is the operator's wish to register at once.
func (m *machine) nudge(now time.Time) []action {
	m.log.Info("nudged")
	switch m.phase {
	case registered:
		m.register(now)
	case offline:
		m.timer = time.Time{}
	}
	return m.step(now)
}

// stop deregisters, drains, and exits with err. Only the first call counts.
func (m *machine) stop(now time.Time, err error) []action {
	m.beginStop(now, err)
	return m.step(now)
}

// hasten ends a drain, or the wait for its deregistration, at once. It may come
// before the stop that it follows, if both were pending.
func (m *machine) hasten(now time.Time) []action {
	m.beginStop(now, nil)
	m.exit()
	return m.step(now)
}

// tick lets the timers expire whose time has come.
func (m *machine) tick(now time.Time) []action {
	if m.stopping && !m.settled() && !now.Before(m.giveUpAt) {
		m.log.Warn("deregistration not confirmed", "waited", t3Deregistration)
		m.left(now)
	}
	if at := m.next(); !at.IsZero() && !now.Before(at) {
		m.timer = time.Time{} // in offline, step hunts
		m.expire(now)
	}
	return m.step(now)
}

func (m *machine) expire(now time.Time) {
	switch m.phase {
	case registering: // RFC 5352 3.1: T2 expired, hunt for another registrar
		m.unanswered(now)
	case deregistering: // RFC 5352 3.2: T3 expired, the same
		m.fail(now, "deregistration not answered", fmt.Errorf("no response within %v", t3Deregistration))
	case registered:
		if m.pulse.silent(now) { // RFC 5352 3.1: a re-registration may come at any time
			m.log.Warn("home registrar is silent", "registrar", m.current(), "for", now.Sub(m.pulse.last))
		}
		m.register(now)
	}
}

// deadline is when tick is due; zero if no timer runs.
func (m *machine) deadline() time.Time {
	switch {
	case m.exited:
		return time.Time{}
	case m.stopping && m.settled():
		return m.leftAt.Add(m.cfg.Drain)
	case m.stopping && (m.timer.IsZero() || m.giveUpAt.Before(m.timer)):
		return m.giveUpAt
	}
	return m.next()
}

// next is when expire is due: at the phase's timer, or earlier if a registered
// element's load has to be reported, which is by a registration (RFC 5352 3.1),
// or if the home is silent.
func (m *machine) next() time.Time {
	at := m.timer
	sooner := func(other time.Time) {
		if !other.IsZero() && other.Before(at) {
			at = other
		}
	}
	switch m.phase {
	case registered:
		sooner(m.pulse.silentAt())
		if m.cfg.Load != nil {
			counted := m.cfg.Policy.Type == wire.PolicyLeastUsedWithDegradation
			sooner(m.told.due(m.meter.load(), counted))
		}
	case registering:
		sooner(m.pulse.giveUpAt(m.sent))
	}
	return at
}

// wanted: should the element be registered? Not before its first measurement:
// a load that it does not have would draw clients.
func (m *machine) wanted() bool { return m.health.well && m.meter.judged && !m.stopping }

// settled: no registrar lists us, and no message about that is under way.
func (m *machine) settled() bool { return !m.owed && m.phase <= hunting }

// step moves towards what is wanted, and hands over the actions of the event.
func (m *machine) step(now time.Time) []action {
	switch {
	case m.exited:
	case m.stopping && m.settled():
		if !now.Before(m.leftAt.Add(m.cfg.Drain)) {
			m.exit()
		}
	case m.phase == offline && m.timer.IsZero() && (m.wanted() || m.owed):
		m.phase = hunting
		m.do(seek{})
	case m.phase >= registering && m.phase <= doubting && !m.wanted():
		m.endSeek()
		m.deregister(now)
	}
	out := m.out
	m.out = nil
	return out
}

func (m *machine) do(a action) { m.out = append(m.out, a) }

// register sends ASAP_REGISTRATION and starts T2 (RFC 5352 3.1 R2 to R4).
func (m *machine) register(now time.Time) {
	m.phase, m.timer, m.sent = registering, now.Add(t2Registration), now
	policy := m.cfg.Policy
	if m.cfg.Load != nil {
		m.told = loadReport{m.meter.load(), now}
		policy = policy.WithLoad(m.told.load)
	}
	m.do(send{m.sessions.home, &wire.Registration{Pool: m.cfg.Pool, Element: wire.PoolElement{
		ID:     m.cfg.ID,
		Home:   m.sessions.server,
		Life:   int32(m.cfg.Life / time.Second),
		User:   m.cfg.User,
		Policy: policy,
		ASAP:   m.asap,
	}}})
}

// deregister sends ASAP_DEREGISTRATION and starts T3 (RFC 5352 3.2 D1 to D4).
func (m *machine) deregister(now time.Time) {
	m.phase, m.timer = deregistering, now.Add(t3Deregistration)
	m.do(send{m.sessions.home, &wire.Deregistration{Pool: m.cfg.Pool, PE: m.cfg.ID}})
}

// left notes that the element is in no registrar's list any more.
func (m *machine) left(now time.Time) {
	m.owed, m.leftAt = false, now
	m.hangUp()
}

// fail leaves this registrar, and hunts after a wait.
func (m *machine) fail(now time.Time, what string, err error) {
	about := m.log
	if m.sessions.home != 0 {
		about = about.With("registrar", m.current())
		m.do(distrust{m.sessions.home})
	}
	m.hangUp()
	m.failures++
	if m.cfg.Attempts > 0 && !m.accepted && m.failures >= m.cfg.Attempts {
		m.result = fmt.Errorf("gave up after %d attempts to register: %s: %w", m.failures, what, err)
		m.stopping = true
		m.exit()
		return
	}
	wait := hunt.Backoff(m.failures, m.random)
	about.Warn(what, "err", err, "retry_in", wait.Round(time.Millisecond))
	m.timer = now.Add(wait)
}

func (m *machine) beginStop(now time.Time, err error) {
	if m.stopping {
		return
	}
	m.stopping, m.result, m.giveUpAt = true, err, now.Add(t3Deregistration)
	if m.owed && m.phase == offline {
		m.timer = time.Time{} // deregister now, not after the backoff
	}
}

func (m *machine) exit() {
	m.hangUp()
	m.exited = true
	m.do(exit{m.result})
}
