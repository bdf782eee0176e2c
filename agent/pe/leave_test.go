// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"errors"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

func TestStopDeregistersAndDrains(t *testing.T) {
	r := enrolled(t, nil)
	r.want(r.stop(r.now, nil), r.deregistration())
	r.wantTimer(30 * time.Second) // T3
	r.now = r.now.Add(time.Second)
	r.want(r.confirmLeft(), r.hungUp())
	r.wantLog("msg=deregistered", "pool=web", "pe=0x00c0ffee")
	r.wantTimer(30 * time.Second) // the drain, from the confirmation on
	r.want(r.expire(), exit{nil})
}

func TestSecondSignalEndsTheDrain(t *testing.T) {
	r := enrolled(t, nil)
	r.stop(r.now, nil)
	r.confirmLeft()
	r.want(r.hasten(r.now), exit{nil})
}

func TestSecondSignalEndsTheWaitForTheRegistrar(t *testing.T) {
	r := enrolled(t, nil)
	r.stop(r.now, nil)
	r.want(r.hasten(r.now), r.hungUp(), exit{nil})
}

// Two signals in quick succession are both pending, and a select takes either.
func TestSecondSignalSeenBeforeTheFirstIsNotLost(t *testing.T) {
	r := enrolled(t, nil)
	r.want(r.hasten(r.now), r.hungUp(), exit{nil})
	r.want(r.stop(r.now, nil))
}

func TestStopWithoutARegistrationExitsAtOnce(t *testing.T) {
	for name, prepare := range map[string]func(*rig){
		"dialing":    func(*rig) {},
		"in backoff": func(r *rig) { r.cut() },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			r.start(r.now)
			prepare(r)
			got := r.stop(r.now, nil)
			r.want(got[len(got)-1:], exit{nil})
		})
	}
}

func TestStopWhileRegisteringDeregisters(t *testing.T) {
	r := newRig(t, nil)
	r.start(r.now)
	r.connect()
	r.want(r.stop(r.now, nil), r.deregistration())
	r.want(r.accept()) // crossed the deregistration
	r.want(r.confirmLeft(), r.hungUp())
}

func TestStopGivesUpAnUnansweredDeregistration(t *testing.T) {
	r := enrolled(t, nil)
	r.stop(r.now, nil)
	r.wantTimer(30 * time.Second) // T3
	r.want(r.expire(), r.hungUp())
	r.wantLog("level=WARN", `msg="deregistration not confirmed"`)
	r.wantTimer(30 * time.Second) // the drain
	r.want(r.expire(), exit{nil})
}

func TestNewSessionDoesNotProlongTheWaitForTheDeregistration(t *testing.T) {
	r := enrolled(t, nil)
	r.stop(r.now, nil)
	stopped := r.now
	r.now = r.now.Add(20 * time.Second)
	r.cut()
	r.expire()
	r.want(r.connect(), r.deregistration())
	r.want(r.expire(), r.hungUp())
	if after := r.now.Sub(stopped); after != 30*time.Second {
		t.Errorf("gave up after %v, want 30 s: T3, counted from the stop", after)
	}
}

func TestDeregistrationIsRepeatedOnANewSession(t *testing.T) {
	r := enrolled(t, nil)
	r.stop(r.now, nil)
	r.want(r.cut(), r.failed()...)
	r.want(r.expire(), seek{})
	r.want(r.connect(), r.deregistration())
	r.want(r.confirmLeft(), r.hungUp())
}

func TestStopWhileOfflineDeregistersWithoutTheBackoff(t *testing.T) {
	r := enrolled(t, nil)
	r.cut()
	r.want(r.stop(r.now, nil), seek{})
	r.want(r.connect(), r.deregistration())
}

func TestLeavesAfterThreeFailuresInARow(t *testing.T) {
	for _, test := range []struct {
		name   string
		checks string // + well, - sick
		leaves bool
	}{
		{"two", "--", false},
		{"three in a row", "---", true},
		{"three, not in a row", "--+-", false},
		{"many, never three in a row", "--+--+--+--", false},
		{"three in a row after a success", "--+---", true},
		{"one after successes", "++-", false},
		{"every other", "-+-+-+-", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := enrolled(t, withCheck)
			var got []action
			for _, c := range test.checks {
				r.want(got) // nothing before the last
				got = r.checked(r.now, verdict(c))
			}
			if test.leaves {
				r.want(got, r.deregistration())
				r.wantLog("level=WARN", `msg="server check failed"`)
			} else {
				r.want(got)
			}
		})
	}
}

func verdict(c rune) error {
	if c == '-' {
		return errSick
	}
	return nil
}

// sick is a rig that has left the pool since its server is not well.
func sick(t *testing.T) *rig {
	r := enrolled(t, withCheck)
	for range 3 {
		r.checked(r.now, errSick)
	}
	r.want(r.confirmLeft(), r.hungUp())
	return r
}

func TestReturnsAfterTwoSuccessesInARow(t *testing.T) {
	r := sick(t)
	if !r.deadline().IsZero() {
		t.Error("a timer runs though nothing is to be done")
	}
	for _, c := range "+-+" {
		r.want(r.checked(r.now, verdict(c)))
	}
	r.want(r.checked(r.now, nil), seek{})
	r.want(r.connect(), r.registration(0))
}

func TestRecoveryDuringTheDeregistrationUsesTheSession(t *testing.T) {
	r := enrolled(t, withCheck)
	for range 3 {
		r.checked(r.now, errSick)
	}
	r.checked(r.now, nil)
	r.want(r.checked(r.now, nil)) // first the answer
	r.want(r.confirmLeft(), r.registration(0))
}

func TestDeregistrationUnansweredAtT3IsRepeatedElsewhere(t *testing.T) {
	r := enrolled(t, withCheck)
	for range 3 {
		r.checked(r.now, errSick)
	}
	r.wantTimer(30 * time.Second)
	r.want(r.expire(), r.failed()...)
	r.want(r.expire(), seek{})
	got := r.connect(registrarB)
	r.want(got, r.deregistration())
}

func TestFirstCheckDecidesAlone(t *testing.T) {
	r := newRig(t, withCheck)
	r.want(r.start(r.now))
	r.want(r.checked(r.now, nil), seek{})

	r = newRig(t, withCheck)
	r.want(r.start(r.now))
	r.want(r.checked(r.now, errSick))
	r.wantLog("level=WARN", `msg="server not ready"`)
	r.want(r.checked(r.now, nil))
	r.want(r.checked(r.now, nil), seek{})
}

func TestSickWhileDialingDoesNotRegister(t *testing.T) {
	r := newRig(t, withCheck)
	r.start(r.now)
	r.checked(r.now, nil)
	for range 3 {
		r.checked(r.now, errSick)
	}
	r.want(r.connect(), r.hungUp())
}

func TestStopLongAfterLeavingNeedsNoDrain(t *testing.T) {
	r := sick(t)
	r.now = r.now.Add(10 * time.Second)
	r.want(r.stop(r.now, nil))
	r.wantTimer(20 * time.Second) // what is left of the 30 s

	r = sick(t)
	r.now = r.now.Add(time.Minute)
	r.want(r.stop(r.now, nil), exit{nil})
}

func TestRefusedDeregistrationIsNotRepeated(t *testing.T) {
	r := enrolled(t, nil)
	r.stop(r.now, nil)
	r.want(r.received(r.now, r.last, &wire.DeregistrationResponse{Pool: testPool, PE: testID,
		Causes: []wire.ErrorCause{{Code: wire.CauseSecurity}}}), r.hungUp())
	r.wantLog("level=WARN", `msg="deregistration refused"`, `cause="rejected due to security considerations"`)
	r.want(r.expire(), exit{nil})
}

func TestOnlyTheFirstStopCounts(t *testing.T) {
	r := enrolled(t, nil)
	first := errors.New("first")
	r.stop(r.now, first)
	r.want(r.stop(r.now, nil))
	r.confirmLeft()
	r.want(r.expire(), exit{first})
}
