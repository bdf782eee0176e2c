// SPDX-License-Identifier: Apache-2.0

package pu

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

// ErrUnknownPool is the answer that there is no such pool.
var ErrUnknownPool = errors.New("there is no such pool")

// ErrNoElement is the answer that nobody in the pool can take work now.
var ErrNoElement = errors.New("the pool has no element that can take work")

// received is called with each message from the session.
func (m *machine) received(now time.Time, message wire.Message) []action {
	switch msg := message.(type) {
	case *wire.HandleResolutionResponse:
		m.answered(now, msg)
	case *wire.ErrorMessage:
		m.refused(now, msg.Causes)
	default:
		m.log.Debug("message ignored", "type", message.Type().String())
	}
	return m.step(now)
}

// answered takes the answer to a question, or an update (RFC 5352 2.2.6).
func (m *machine) answered(now time.Time, r *wire.HandleResolutionResponse) {
	if slices.ContainsFunc(r.Causes, isSecurity) { // another registrar may serve us
		m.refused(now, r.Causes)
		return
	}
	m.failures = 0
	answer := settle{pool: r.Pool, response: r}
	if len(r.Causes) > 0 {
		answer = settle{pool: r.Pool, err: refusal(r.Causes), negative: true}
	}
	w := m.wants[r.Pool]
	if w == nil {
		m.do(answer) // an update that was on its way when nobody watched any more
		return
	}
	if live := r.Accepted && answer.err == nil && w.watchers > 0; live {
		w.live = true
	} else { // RFC 5352 2.2.5: a negative answer ends the updates
		m.unlive(r.Pool, w)
	}
	m.settled(now, r.Pool, w, answer)
	if m.seeking && m.linked && !m.waits() { // it was only slow
		m.seeking = false
		m.do(cease{})
	}
}

// waits: is there a question without an answer?
func (m *machine) waits() bool {
	for _, w := range m.wants {
		if w.asked {
			return true
		}
	}
	return false
}

// refused leaves a registrar that does not serve us: a secured one that is
// spoken to without TLS (the threats to RSerPool, 2.15), or one that knows no
// resolutions.
func (m *machine) refused(now time.Time, causes []wire.ErrorCause) {
	switch {
	case slices.ContainsFunc(causes, isSecurity):
		m.leave(now, fmt.Errorf("the registrar refuses us (%s): it wants TLS, or another identity", causeText(causes)))
	case slices.ContainsFunc(causes, func(c wire.ErrorCause) bool { return c.Code == wire.CauseUnrecognizedMessage }):
		m.leave(now, fmt.Errorf("the registrar refuses us: %s", causeText(causes)))
	default:
		m.log.Warn("registrar reports an error", "cause", causeText(causes))
	}
}

func isSecurity(c wire.ErrorCause) bool { return c.Code == wire.CauseSecurity }

// refusal is a negative answer as an error.
func refusal(causes []wire.ErrorCause) error {
	switch causes[0].Code {
	case wire.CauseUnknownPoolHandle:
		return ErrUnknownPool
	case wire.CauseLackOfResources:
		return ErrNoElement
	}
	return fmt.Errorf("the registrar refuses the resolution: %s", causeText(causes))
}

// causeText names the causes in the RFC's words.
func causeText(causes []wire.ErrorCause) string {
	names := make([]string, 0, len(causes))
	for _, c := range causes {
		names = append(names, c.Code.String())
	}
	return strings.Join(names, ", ")
}
