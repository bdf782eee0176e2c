// SPDX-License-Identifier: Apache-2.0

package pu

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/weir-lb/weir/agent/hunt"
	"github.com/weir-lb/weir/registrar/wire"
)

const (
	t1ENRPrequest = 15 * time.Second // RFC 5352 7.1
	// maxRequestRetransmit is MAX-REQUEST-RETRANSMIT (RFC 5352 7.3).
	maxRequestRetransmit = 2
	// maxReports are the reports that wait for a registrar; beyond it the oldest
	// is dropped: the elements that nobody reaches will be reported again.
	maxReports = 64
)

// action is what the loop has to do for the machine.
type action any

type (
	seek   struct{} // hunt: answered by connected or notFound
	cease  struct{} // end the hunt; it is not answered
	blame  struct{} // the registrar of the session is to be the last choice
	hangup struct{} // end the session; lost is not called for it
	send   struct{ message wire.Message }
	// settle is an answer about a pool, or that there is none.
	settle struct {
		pool     wire.PoolHandle
		response *wire.HandleResolutionResponse // nil: err
		err      error
		negative bool // err is what a registrar answered
	}
	// unlive says that the updates of a pool come no more.
	unlive struct{ pool wire.PoolHandle }
)

// machine is the state of the user's protocol with its home registrar. There
// may be a session, a hunt, or both: a hunt for another registrar begins while
// the one that does not answer is still asked (RFC 5352 3.7.2).
type machine struct {
	t1, poll time.Duration
	log      *slog.Logger
	random   *rand.Rand

	linked   bool
	seeking  bool
	failures int       // in a row, without any answer
	retryAt  time.Time // no hunt before that
	wants    map[wire.PoolHandle]*want
	reports  []wire.Message // wait for a session

	out []action
}

// want is a pool that somebody asks for, or watches.
type want struct {
	watchers int
	asked    bool      // no answer yet
	answerBy time.Time // T1 of the request that was sent; zero: none was
	tries    int       // that failed, of this question
	live     bool      // the registrar sends updates
	again    time.Time // when a watched pool is asked for again; zero: it is asked for, or live
}

func newMachine(cfg *Config, random *rand.Rand) *machine {
	return &machine{
		t1: cfg.RequestTimeout, poll: cfg.Stale, log: cfg.Log, random: random,
		wants: map[wire.PoolHandle]*want{},
	}
}

// ask wants one answer about a pool; settle brings it.
func (m *machine) ask(now time.Time, pool wire.PoolHandle) []action {
	m.request(now, pool, m.want(pool))
	return m.step(now)
}

// watch wants all answers about a pool from now on, until unwatch.
func (m *machine) watch(now time.Time, pool wire.PoolHandle) []action {
	w := m.want(pool)
	w.watchers++
	if !w.live {
		w.asked = false // what was sent did not subscribe
		m.request(now, pool, w)
	}
	return m.step(now)
}

func (m *machine) unwatch(now time.Time, pool wire.PoolHandle) []action {
	if w := m.wants[pool]; w != nil {
		w.watchers--
		m.forget(pool, w)
	}
	return m.step(now)
}

// report tells the registrar that an element cannot be reached (RFC 5352 3.5).
func (m *machine) report(now time.Time, pool wire.PoolHandle, id wire.PEID) []action {
	message := &wire.EndpointUnreachable{Pool: pool, PE: id}
	if m.linked {
		m.do(send{message})
		return m.step(now)
	}
	if len(m.reports) == maxReports {
		m.reports = m.reports[1:]
	}
	m.reports = append(m.reports, message)
	return m.step(now)
}

// connected is called with a new session; an older one has been ended.
func (m *machine) connected(now time.Time) []action {
	m.linked, m.seeking = true, false
	for _, pool := range m.pools() {
		w := m.wants[pool]
		m.unlive(pool, w)
		w.asked = false
		m.request(now, pool, w)
	}
	for _, message := range m.reports {
		m.do(send{message})
	}
	m.reports = nil
	return m.step(now)
}

// notFound is called when a hunt has ended without a session.
func (m *machine) notFound(now time.Time, err error) []action {
	m.seeking = false
	m.failed(now, err)
	return m.step(now)
}

// lost is called when the session has ended by itself.
func (m *machine) lost(now time.Time, err error) []action {
	m.leave(now, fmt.Errorf("the registrar has ended the session: %w", err))
	return m.step(now)
}

// leave gives up the session (RFC 5352 3.7.1).
func (m *machine) leave(now time.Time, err error) {
	level := slog.LevelWarn
	if m.failures > 0 { // and it has been said
		level = slog.LevelDebug
	}
	m.log.Log(context.Background(), level, "registrar lost", "err", err)
	m.do(blame{})
	m.do(hangup{})
	m.linked = false
	for pool, w := range m.wants {
		m.unlive(pool, w)
		w.answerBy = time.Time{}
	}
	m.failed(now, err)
}

// failed counts a failure against all questions, and puts the next hunt off.
func (m *machine) failed(now time.Time, err error) {
	m.failures++
	m.retryAt = now.Add(hunt.Backoff(m.failures, m.random))
	for _, pool := range m.pools() {
		if w := m.wants[pool]; w.asked && !m.linked {
			m.failedOnce(now, pool, w, err)
		}
	}
}

// failedOnce gives a question up after MAX-REQUEST-RETRANSMIT repetitions.
func (m *machine) failedOnce(now time.Time, pool wire.PoolHandle, w *want, err error) (givenUp bool) {
	if w.tries++; w.tries <= maxRequestRetransmit {
		return false
	}
	m.settled(now, pool, w, settle{pool: pool, err: err})
	return true
}

// tick lets the timers expire whose time has come.
func (m *machine) tick(now time.Time) []action {
	if !now.Before(m.retryAt) {
		m.retryAt = time.Time{}
	}
	for _, pool := range m.pools() {
		w := m.wants[pool]
		switch {
		case due(w.answerBy, now):
			m.unanswered(now, pool, w)
		case due(w.again, now):
			m.request(now, pool, w)
		}
	}
	return m.step(now)
}

func due(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }

// unanswered is T1's expiry: ask again, and look for somebody else meanwhile
// (RFC 5352 3.7.2).
func (m *machine) unanswered(now time.Time, pool wire.PoolHandle, w *want) {
	w.answerBy = time.Time{}
	err := fmt.Errorf("the registrar has not answered within %v", m.t1)
	m.log.Warn("no answer", "pool", string(pool), "after", m.t1)
	if !m.failedOnce(now, pool, w, err) {
		w.asked = false
		m.request(now, pool, w)
	}
	if !m.seeking {
		m.seeking = true
		m.do(blame{})
		m.do(seek{})
	}
}

// deadline is when tick is due; zero if no timer runs.
func (m *machine) deadline() time.Time {
	var first time.Time
	earlier := func(at time.Time) {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	if !m.linked && m.needed() {
		earlier(m.retryAt)
	}
	for _, w := range m.wants {
		earlier(w.answerBy)
		earlier(w.again)
	}
	return first
}

// step hunts if there is need, and hands over the actions of the event.
func (m *machine) step(now time.Time) []action {
	if !m.linked && !m.seeking && m.needed() && !now.Before(m.retryAt) {
		m.seeking = true
		m.do(seek{})
	}
	out := m.out
	m.out = nil
	return out
}

// needed: is there anything to tell or to ask a registrar?
func (m *machine) needed() bool { return len(m.wants) > 0 || len(m.reports) > 0 }

// request asks, if that has not been done yet; without a session connected will.
func (m *machine) request(now time.Time, pool wire.PoolHandle, w *want) {
	if w.asked {
		return
	}
	w.asked, w.again = true, time.Time{}
	if m.linked {
		w.answerBy = now.Add(m.t1)
		m.do(send{resolution(pool, w.watchers > 0)})
	}
}

// resolution asks for all elements. RFC 5352 3.3 needs no word for that, but without one rsplib's registrar lists three;
// whoever does not know the parameter skips it, by the highest bits of its type (RFC 5354 3).
func resolution(pool wire.PoolHandle, subscribe bool) *wire.HandleResolution {
	all := wire.AllItems
	return &wire.HandleResolution{Pool: pool, Subscribe: subscribe, Items: &all}
}

func (m *machine) want(pool wire.PoolHandle) *want {
	w := m.wants[pool]
	if w == nil {
		w = &want{}
		m.wants[pool] = w
	}
	return w
}

// settled answers a question, and forgets the pool if nobody watches it.
func (m *machine) settled(now time.Time, pool wire.PoolHandle, w *want, answer settle) {
	m.do(answer)
	w.asked, w.answerBy, w.tries, w.again = false, time.Time{}, 0, time.Time{}
	if w.watchers > 0 && !w.live {
		w.again = now.Add(m.poll)
	}
	m.forget(pool, w)
}

func (m *machine) forget(pool wire.PoolHandle, w *want) {
	if w.watchers == 0 && !w.asked {
		m.unlive(pool, w)
		delete(m.wants, pool)
	}
}

func (m *machine) unlive(pool wire.PoolHandle, w *want) {
	if w.live {
		w.live = false
		m.do(unlive{pool})
	}
}

func (m *machine) do(a action) { m.out = append(m.out, a) }

// pools are those that are wanted, in order.
func (m *machine) pools() []wire.PoolHandle { return slices.Sorted(maps.Keys(m.wants)) }
