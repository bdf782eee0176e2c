// SPDX-License-Identifier: Apache-2.0

package pu

import (
	"errors"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

// subscribed is a rig that watches web at a registrar that sends updates.
func subscribed(t *testing.T) *rig {
	r := linkedRig(t)
	r.want(r.watch(r.now, "web"), subscribe("web"))
	answer := response("web", true, 1)
	r.want(r.received(r.now, answer), settle{pool: "web", response: answer})
	return r
}

func TestUpdatesComeByThemselves(t *testing.T) {
	r := subscribed(t)
	if !r.deadline().IsZero() {
		t.Error("a timer runs though updates come")
	}
	update := response("web", true, 1, 2)
	r.want(r.received(r.now, update), settle{pool: "web", response: update})
	r.want(r.watch(r.now, "web")) // a second one needs no question
	r.want(r.unwatch(r.now, "web"))
	r.want(r.unwatch(r.now, "web"), unlive{"web"})
	r.wantIdle()
}

// RFC 5352 2.2.5: the new home registrar knows nothing of subscriptions.
func TestNewHomeIsSubscribedAgain(t *testing.T) {
	r := subscribed(t)
	r.want(r.lost(r.now, errCut), blame{}, hangup{}, unlive{"web"})
	r.want(r.expire(), seek{})
	r.want(r.notFound(r.now, errNobody))
	r.want(r.expire(), seek{})
	r.want(r.connected(r.now), subscribe("web"))
}

func TestSubscriptionOutlivesManyFailures(t *testing.T) {
	r := subscribed(t)
	r.lost(r.now, errCut)
	for range 20 {
		r.expire()
		r.notFound(r.now, errNobody)
	}
	r.expire()
	r.want(r.connected(r.now), subscribe("web"))
}

// rsplib never sends updates, and says so with A = 0.
func TestWithoutUpdatesItAsksAgain(t *testing.T) {
	r := linkedRig(t)
	r.watch(r.now, "web")
	r.received(r.now, response("web", false, 1))
	r.wantTimer(5 * time.Second)
	r.want(r.expire(), subscribe("web"))
	r.received(r.now, response("web", true, 1))
	if !r.deadline().IsZero() {
		t.Error("a timer runs though updates come now")
	}
}

// RFC 5352 2.2.5: a negative answer means that no update will come when the pool is created.
func TestUnknownPoolIsAskedForAgain(t *testing.T) {
	r := subscribed(t)
	r.want(r.received(r.now, negative("web", wire.CauseUnknownPoolHandle)), unlive{"web"},
		settle{pool: "web", err: ErrUnknownPool, negative: true})
	r.wantTimer(5 * time.Second)
	r.want(r.expire(), subscribe("web"))
}

func TestWatchOverAQuestionSubscribes(t *testing.T) {
	r := linkedRig(t)
	r.ask(r.now, "web")
	r.want(r.watch(r.now, "web"), subscribe("web"))
	r.received(r.now, response("web", false, 1)) // to the first one
	r.received(r.now, response("web", true, 1))
	if !r.deadline().IsZero() {
		t.Error("a timer runs though updates come")
	}
}

func TestNobodyIsToldOfAPoolThatNobodyWatches(t *testing.T) {
	r := linkedRig(t)
	late := response("other", true, 7)
	r.want(r.received(r.now, late), settle{pool: "other", response: late}) // the cache drops it
	r.wantIdle()
}

func TestUnansweredSubscriptionIsTriedAgain(t *testing.T) {
	r := linkedRig(t)
	r.watch(r.now, "web")
	r.expire()
	r.expire()
	r.want(r.expire(), settle{pool: "web", err: errors.New("not answered")})
	r.want(r.expire(), subscribe("web"))
}
