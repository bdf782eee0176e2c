// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

// loaded is a configuration with a measured load under a policy.
func loaded(policy wire.Policy) func(*Config) {
	return func(c *Config) {
		c.Policy = policy
		c.Load = func(context.Context) (float64, error) { return 0, nil }
	}
}

// wantLoad fails unless the actions are one registration with this policy.
func (r *rig) wantLoad(got []action, policy wire.Policy) {
	r.t.Helper()
	want := r.registration(0).(send)
	want.message.(*wire.Registration).Element.Policy = policy
	r.want(got, want)
}

// gauged is a rig that is registered with a load of 20 % under LU.
func gauged(t *testing.T) *rig {
	r := newRig(t, loaded(wire.LeastUsed(7)))
	r.want(r.start(r.now)) // not without a measurement
	r.want(r.measured(r.now, 0.2, nil), seek{})
	r.wantLoad(r.connect(), wire.LeastUsed(0x33333333))
	r.want(r.accept())
	return r
}

// hold gives the same measurement until smoothing has come to it.
func (r *rig) hold(sample float64) {
	for range 100 {
		r.want(r.measured(r.now, sample, nil))
	}
}

func TestChangedLoadIsReported(t *testing.T) {
	r := gauged(t)
	r.wantTimer(580 * time.Second) // T4
	r.now = r.now.Add(time.Minute)
	r.hold(0.2 + 0.04)
	r.want(r.tick(r.now.Add(-time.Minute))) // not yet
	r.wantTimer(-30 * time.Second)          // a small change waits for 30 s, which are over
	r.wantLoad(r.tick(r.now), wire.LeastUsed(0x3d70a3d7))
	r.want(r.accept())
	r.want(r.measured(r.now, 1, nil))
	r.wantTimer(time.Second) // a great one only for the gap
	r.hold(0.6)              // the report has what is measured last
	r.wantTimer(time.Second)
	r.wantLoad(r.expire(), wire.LeastUsed(0x99999999))
	r.want(r.accept())
	r.wantTimer(580 * time.Second)
}

func TestLoadThatFallsBackIsNotReported(t *testing.T) {
	r := gauged(t)
	r.want(r.measured(r.now, 1, nil))
	r.wantTimer(time.Second)
	r.hold(0.2)
	if wait := r.deadline().Sub(r.now); wait < 30*time.Second {
		t.Errorf("reported after %v, want 30 s at the earliest", wait)
	}
}

func TestLoadIsNotReportedWhileAnAnswerIsUnderWay(t *testing.T) {
	r := gauged(t)
	r.hold(0.9)
	r.expire()
	r.hold(0.1)
	r.wantTimer(30 * time.Second) // T2
	r.now = r.now.Add(5 * time.Second)
	r.want(r.accept())
	r.wantTimer(-4 * time.Second)
	r.wantLoad(r.tick(r.now), wire.LeastUsed(0x1999999a))
}

// RFC 5356 5.2.2: each registration sets the registrar's counter to 0.
func TestDegradationIsResetThoughTheLoadIsTheSame(t *testing.T) {
	for _, test := range []struct {
		policy wire.Policy
		after  time.Duration
	}{
		{wire.LeastUsedWithDegradation(7, 9), 30 * time.Second},
		{wire.PriorityLeastUsed(7, 9), 580 * time.Second},
		{wire.RandomizedLeastUsed(7), 580 * time.Second},
	} {
		r := newRig(t, loaded(test.policy))
		r.start(r.now)
		r.measured(r.now, 0.2, nil)
		r.connect()
		r.want(r.accept())
		r.wantTimer(test.after)
		r.wantLoad(r.expire(), test.policy.WithLoad(0x33333333))
	}
}

func TestLoadThatCannotBeMeasured(t *testing.T) {
	r := gauged(t)
	for range 2 {
		r.want(r.measured(r.now, 0, errBlind))
		r.wantTimer(580 * time.Second)
	}
	r.want(r.measured(r.now, 0, errBlind))
	r.wantLoad(r.expire(), wire.LeastUsed(0xffffffff))
	r.want(r.accept())
	r.measured(r.now, 0, errBlind)
	for _, line := range []string{`msg="load not measured, the last one stays"`, `msg="load not measured, it counts as full"`} {
		if n := strings.Count(r.log.String(), line); n != 1 {
			t.Errorf("%d lines with %s in\n%s", n, line, r.log.String())
		}
	}
	r.want(r.measured(r.now, 0.2, nil))
	r.wantLog("level=INFO", `msg="load measured again"`)
	r.wantLoad(r.expire(), wire.LeastUsed(0x33333333))
}

func TestUnmeasurableLoadRegistersAsFull(t *testing.T) {
	r := newRig(t, loaded(wire.LeastUsed(0)))
	r.start(r.now)
	r.want(r.measured(r.now, 0, errBlind), seek{})
	r.wantLoad(r.connect(), wire.LeastUsed(0xffffffff))
}

func TestFullRegistrarIsNotAskedMoreOftenByLoad(t *testing.T) {
	r := gauged(t)
	r.hold(0.9)
	r.expire()
	r.want(r.reject(wire.CauseLackOfResources))
	for r.deadline().Sub(r.now) < 2*loadGap {
		r.expire()
		r.want(r.reject(wire.CauseLackOfResources))
	}
	backoff := r.deadline()
	r.hold(0.1)
	if got := r.deadline(); !got.Equal(backoff) {
		t.Errorf("asks again after %v, want the backoff, %v", got.Sub(r.now), backoff.Sub(r.now))
	}
}

func TestGivenLoadStays(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Policy = wire.LeastUsed(7) })
	r.start(r.now)
	r.wantLoad(r.connect(), wire.LeastUsed(7))
	r.want(r.accept())
	r.wantTimer(580 * time.Second)
}
