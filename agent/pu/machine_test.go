// SPDX-License-Identifier: Apache-2.0

package pu

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

var (
	errNobody = errors.New("nobody there")
	errCut    = errors.New("cut")
)

const t1 = 15 * time.Second

// rig is a machine and the time that it is told.
type rig struct {
	*machine
	t   *testing.T
	now time.Time
}

func newRig(t *testing.T) *rig {
	cfg := Config{Log: slog.New(slog.DiscardHandler)}
	cfg.setDefaults()
	return &rig{newMachine(&cfg, rand.New(rand.NewPCG(1, 2))), t, time.Unix(1000, 0)}
}

// linkedRig has a session.
func linkedRig(t *testing.T) *rig {
	r := newRig(t)
	r.ask(r.now, "web")
	r.connected(r.now)
	r.received(r.now, response("web", false, 1))
	return r
}

// want checks what an event led to; errors are compared by a part of their text.
func (r *rig) want(got []action, want ...action) {
	r.t.Helper()
	if len(got) != len(want) {
		r.t.Fatalf("actions\n  %v, want\n  %v", got, want)
	}
	for i := range want {
		if !sameAction(got[i], want[i]) {
			r.t.Errorf("action %d is %#v, want %#v", i, got[i], want[i])
		}
	}
}

func sameAction(got, want action) bool {
	g, ok := got.(settle)
	w, too := want.(settle)
	if !ok || !too || w.err == nil || g.err == nil {
		return reflect.DeepEqual(got, want)
	}
	return g.pool == w.pool && g.negative == w.negative && strings.Contains(g.err.Error(), w.err.Error())
}

// expire goes to the deadline.
func (r *rig) expire() []action {
	r.t.Helper()
	at := r.deadline()
	if at.IsZero() {
		r.t.Fatal("no timer runs")
	}
	r.now = at
	return r.tick(r.now)
}

func (r *rig) wantTimer(after time.Duration) {
	r.t.Helper()
	if got := r.deadline(); !got.Equal(r.now.Add(after)) {
		r.t.Errorf("timer at %v from now, want %v", got.Sub(r.now), after)
	}
}

func (r *rig) wantIdle() {
	r.t.Helper()
	if !r.deadline().IsZero() || len(r.wants) > 0 {
		r.t.Errorf("a timer runs at %v, wanted are %v", r.deadline(), r.pools())
	}
}

func response(pool wire.PoolHandle, live bool, ids ...wire.PEID) *wire.HandleResolutionResponse {
	m := &wire.HandleResolutionResponse{Pool: pool, Accepted: live}
	for _, id := range ids {
		m.Elements = append(m.Elements, element(id, wire.RoundRobin()))
	}
	return m
}

func negative(pool wire.PoolHandle, code wire.CauseCode) *wire.HandleResolutionResponse {
	return &wire.HandleResolutionResponse{Pool: pool, Causes: []wire.ErrorCause{{Code: code}}}
}

func ask(pool wire.PoolHandle) action {
	items := wire.AllItems
	return send{&wire.HandleResolution{Pool: pool, Items: &items}}
}

func subscribe(pool wire.PoolHandle) action {
	items := wire.AllItems
	return send{&wire.HandleResolution{Pool: pool, Subscribe: true, Items: &items}}
}

func TestFirstQuestionHuntsThenAsks(t *testing.T) {
	r := newRig(t)
	r.want(r.ask(r.now, "web"), seek{})
	r.want(r.ask(r.now, "web")) // the same question
	r.want(r.connected(r.now), ask("web"))
	r.wantTimer(t1)
	answer := response("web", false, 1)
	r.want(r.received(r.now, answer), settle{pool: "web", response: answer})
	r.wantIdle()
	r.want(r.ask(r.now, "web"), ask("web")) // the session stays
}

func TestNegativeAnswers(t *testing.T) {
	for code, want := range map[wire.CauseCode]string{
		wire.CauseUnknownPoolHandle: ErrUnknownPool.Error(),
		wire.CauseLackOfResources:   ErrNoElement.Error(),
		wire.CauseUnspecified:       "the registrar refuses the resolution: unspecified error",
	} {
		r := linkedRig(t)
		r.ask(r.now, "web")
		r.want(r.received(r.now, negative("web", code)), settle{pool: "web", err: errors.New(want), negative: true})
		r.wantIdle()
	}
}

// RFC 5352 3.7.2: T1 expires, ask again and hunt beside that, MAX-REQUEST-RETRANSMIT times.
func TestSilentRegistrarIsAskedAgainWhileHunting(t *testing.T) {
	r := linkedRig(t)
	r.ask(r.now, "web")
	r.want(r.expire(), ask("web"), blame{}, seek{})
	r.want(r.expire(), ask("web"))
	r.want(r.expire(), settle{pool: "web", err: errors.New("not answered within 15s")})
	r.wantIdle()
}

func TestAnswerOfTheSlowRegistrarEndsTheHunt(t *testing.T) {
	r := linkedRig(t)
	r.ask(r.now, "web")
	r.expire()
	answer := response("web", false, 1)
	r.want(r.received(r.now, answer), settle{pool: "web", response: answer}, cease{})
}

func TestAnotherRegistrarIsAskedTheSame(t *testing.T) {
	r := linkedRig(t)
	r.ask(r.now, "web")
	r.expire()
	r.want(r.connected(r.now), ask("web"))
	r.wantTimer(t1)
}

func TestGivesUpAfterThreeHunts(t *testing.T) {
	r := newRig(t)
	r.ask(r.now, "web")
	for range 2 {
		r.want(r.notFound(r.now, errNobody))
		r.want(r.expire(), seek{})
	}
	r.want(r.notFound(r.now, errNobody), settle{pool: "web", err: errNobody})
	r.wantIdle()
}

// A registrar that takes every connection and answers none must not keep a question for ever.
func TestGivesUpAfterThreeLostSessions(t *testing.T) {
	r := newRig(t)
	r.ask(r.now, "web")
	for range 2 {
		r.connected(r.now)
		r.want(r.lost(r.now, errCut), blame{}, hangup{})
		r.want(r.expire(), seek{})
	}
	r.connected(r.now)
	r.want(r.lost(r.now, errCut), blame{}, hangup{}, settle{pool: "web", err: errCut})
}

func TestLostSessionIsNotReplacedWithoutNeed(t *testing.T) {
	r := linkedRig(t)
	r.want(r.lost(r.now, errCut), blame{}, hangup{})
	r.wantIdle()
	r.now = r.now.Add(time.Second)
	r.want(r.ask(r.now, "web"), seek{})
}

func TestLossDuringAQuestionIsNoEndOfIt(t *testing.T) {
	r := linkedRig(t)
	r.ask(r.now, "web")
	r.want(r.lost(r.now, errCut), blame{}, hangup{}) // RFC 5352 3.7.1: not sent again before there is a new home
	r.want(r.expire(), seek{})
	if waited := r.now.Sub(time.Unix(1000, 0)); waited < 50*time.Millisecond || waited > 100*time.Millisecond {
		t.Errorf("hunts after %v, want a short wait: others have lost it too", waited)
	}
	r.want(r.connected(r.now), ask("web"))
}

// A secured registrar says so to who speaks without TLS (threats, 2.15).
func TestRefusalLeavesTheRegistrar(t *testing.T) {
	security := []wire.ErrorCause{{Code: wire.CauseSecurity}}
	for _, refusal := range []wire.Message{
		&wire.ErrorMessage{Causes: security},
		&wire.ErrorMessage{Causes: []wire.ErrorCause{{Code: wire.CauseUnrecognizedMessage}}},
		negative("web", wire.CauseSecurity),
	} {
		r := linkedRig(t)
		r.ask(r.now, "web")
		r.want(r.received(r.now, refusal), blame{}, hangup{})
		r.want(r.expire(), seek{})
		r.connected(r.now)
		r.received(r.now, refusal)
		r.expire()
		r.connected(r.now)
		r.want(r.received(r.now, refusal), blame{}, hangup{}, settle{pool: "web", err: errors.New("the registrar refuses us")})
	}
	r := linkedRig(t)
	r.want(r.received(r.now, &wire.ErrorMessage{Causes: []wire.ErrorCause{{Code: wire.CauseUnrecognizedParameter}}}))
}

func TestReports(t *testing.T) {
	report := func(id wire.PEID) action { return send{&wire.EndpointUnreachable{Pool: "web", PE: id}} }
	r := linkedRig(t)
	r.want(r.report(r.now, "web", 1), report(1))

	r = newRig(t)
	r.want(r.report(r.now, "web", 1), seek{})
	for id := range wire.PEID(maxReports) {
		r.want(r.report(r.now, "web", 2+id))
	}
	got := r.connected(r.now)
	if len(got) != maxReports || !reflect.DeepEqual(got[0], report(2)) {
		t.Errorf("%d reports, the first %v; want %d without the oldest", len(got), got[0], maxReports)
	}
	r.want(r.connected(r.now))
}

func TestIgnoresWhatAUserDoesNotHandle(t *testing.T) {
	r := linkedRig(t)
	r.want(r.received(r.now, &wire.EndpointKeepAlive{Pool: "web"}))
}
