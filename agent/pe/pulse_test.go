// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"fmt"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

// beat lets the home send a keep-alive after each of these times.
func (r *rig) beat(after ...time.Duration) *rig {
	for _, d := range after {
		r.now = r.now.Add(d)
		r.keepAlive(r.last, 7, false)
	}
	return r
}

func TestSilence(t *testing.T) {
	s := func(seconds ...float64) (all []time.Duration) {
		for _, x := range seconds {
			all = append(all, time.Duration(x*float64(time.Second)))
		}
		return all
	}
	const t4 = 580 * time.Second
	for _, test := range []struct {
		name   string
		beats  []time.Duration // since the registration
		silent time.Duration   // after the last of them; otherwise T4 is next
		answer time.Duration   // how long the answer may take
	}{
		{"keep-alives are off", nil, 0, 30 * time.Second},
		{"two are not enough to know", s(2, 2), 0, 30 * time.Second},
		{"three times the longest gap", s(2, 1, 3), 9 * time.Second, 18 * time.Second},
		{"it need not be the last", s(2, 4, 1, 1, 1, 1), 12 * time.Second, 24 * time.Second},
		{"nor between two keep-alives", s(5, 1, 1), 15 * time.Second, 30 * time.Second},
		{"3 s at the least", s(0.1, 0.1, 0.1), 3 * time.Second, 6 * time.Second},
		{"T2 at the most", s(10, 15, 5), 45 * time.Second, 30 * time.Second},
		{"T4 comes first", s(200, 200, 100), 0, 30 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := enrolled(t, nil)
			registered := r.now
			r.beat(test.beats...)
			if test.silent == 0 {
				test.silent = t4 - r.now.Sub(registered)
			}
			r.wantTimer(test.silent)
			r.want(r.expire(), r.registration(0))
			r.wantTimer(test.answer)
			r.want(r.expire(), distrust{r.last}, seek{})
			r.wantLog(`msg="registration not answered"`, fmt.Sprintf("no response within %v", test.answer))
		})
	}
}

// silenced is a rig that has just asked its silent home whether it is there. It would wait 6 s for the answer.
func silenced(t *testing.T, change func(*Config)) *rig {
	t.Helper()
	r := enrolled(t, change).beat(time.Second, time.Second, time.Second)
	r.want(r.expire(), r.registration(0))
	r.wantLog("level=WARN", `msg="home registrar is silent"`, "registrar=10.0.0.1:3864", "for=3s")
	return r
}

func TestAfterSilence(t *testing.T) {
	for _, test := range []struct {
		name  string
		event func(*rig)
		want  time.Duration // the next timer
		does  func(*rig) []action
	}{
		{
			"it answers, though it sends no keep-alives any more: it is not asked all the time",
			func(r *rig) { r.accept() }, 580 * time.Second, func(r *rig) []action { return []action{r.registration(0)} },
		},
		{
			"it answers, and its new rhythm is learnt",
			func(r *rig) { r.accept(); r.beat(4*time.Second, 4*time.Second, 4*time.Second) },
			12 * time.Second, func(r *rig) []action { return []action{r.registration(0)} },
		},
		{
			"it speaks, but does not answer: T2 counts from the registration",
			func(r *rig) { r.beat(5 * time.Second) }, 25 * time.Second,
			func(r *rig) []action { return []action{distrust{r.last}, seek{}} },
		},
		{
			"it speaks, and answers later: how long it took is not its rhythm",
			func(r *rig) { r.beat(5 * time.Second); r.accept() },
			580 * time.Second, func(r *rig) []action { return []action{r.registration(0)} },
		},
		{
			"it has no room: it is there",
			func(r *rig) { r.reject(wire.CauseLackOfResources); r.timer = r.now.Add(time.Hour) },
			time.Hour, func(r *rig) []action { return []action{r.registration(0)} },
		},
		{
			"nobody else is there: it is asked once more, and not for longer",
			func(r *rig) { r.expire(); r.unfound(r.now, errCut) }, 6 * time.Second,
			func(r *rig) []action { return []action{distrust{r.last}, seek{}} },
		},
		{
			"the next home has all the time there is",
			func(r *rig) { r.expire(); r.connect(registrarB) }, 30 * time.Second,
			func(r *rig) []action { return []action{distrust{r.last}, seek{}} },
		},
		{
			"and a rhythm of its own",
			func(r *rig) { r.expire(); r.connect(registrarB); r.accept(); r.beat(time.Second, time.Second) },
			578 * time.Second, func(r *rig) []action { return []action{r.registration(0)} },
		},
		{
			"so has the same one in another session",
			func(r *rig) { r.cut(); r.expire(); r.connect(); r.accept() },
			580 * time.Second, func(r *rig) []action { return []action{r.registration(0)} },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := silenced(t, nil)
			test.event(r)
			r.wantTimer(test.want)
			r.want(r.expire(), test.does(r)...)
		})
	}
}

func TestKeepAlivesBeforeTheAnswer(t *testing.T) {
	r := newRig(t, nil)
	r.start(r.now)
	r.connect()
	r.beat(time.Second, 2*time.Second, time.Second)
	r.wantTimer(6*time.Second + 12*time.Second)
	r.want(r.accept())
	r.wantTimer(6 * time.Second)
}

// Only the home's keep-alives for this element are a rhythm.
func TestWhoseRhythm(t *testing.T) {
	r := visited(t, nil)
	for range 5 {
		r.now = r.now.Add(time.Second)
		r.keepAlive(newHome, 9, false)
		r.received(r.now, oldHome, &wire.EndpointKeepAlive{Server: 7, Pool: "mail"})
	}
	r.wantTimer(575 * time.Second)
}

// A registration for another reason that meets a home that is dead already: it falls silent over it.
func TestSilenceWhileRegistering(t *testing.T) {
	r := enrolled(t, nil).beat(time.Second, time.Second, time.Second)
	r.now = r.now.Add(2 * time.Second)
	r.want(r.nudge(r.now), r.registration(0))
	r.wantTimer(time.Second + 6*time.Second)
	r.want(r.expire(), distrust{r.last}, seek{})
}

// Each report of a load is a registration, after which a registrar begins the time until its next keep-alive anew.
func TestReportsAreSigns(t *testing.T) {
	r := enrolled(t, nil).beat(time.Second, time.Second, time.Second)
	for range 10 {
		r.now = r.now.Add(2 * time.Second)
		r.want(r.nudge(r.now), r.registration(0))
		r.want(r.accept())
		r.wantTimer(3 * time.Second)
	}
}

// Who is not in the pool asks nobody whether he is there.
func TestSilenceAfterLeaving(t *testing.T) {
	r := enrolled(t, withCheck).beat(time.Second, time.Second, time.Second)
	for range failuresToDown {
		r.checked(r.now, errSick)
	}
	r.wantTimer(t3Deregistration)
	r.want(r.confirmLeft(), r.hungUp())
	if at := r.deadline(); !at.IsZero() {
		t.Errorf("a timer runs until %v", at)
	}
}
