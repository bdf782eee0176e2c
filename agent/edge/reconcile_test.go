// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"log/slog"
	"testing"
	"time"
)

// What the last run left is given up only when the registrar has heard from the others, and the elements have had their
// time to come after that.
func TestRecoveryWaitsForTheOtherRegistrars(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	r := newReconciler(nil, nil, newInbox(), nil, slog.New(slog.DiscardHandler))
	r.recovery, r.recoverUntil = 10*time.Second, at(10)
	tick := func(now time.Time) {
		r.swept = now // the flow table is not what this is about
		r.tick(now)
	}
	tick(at(11))
	if r.recoverUntil.IsZero() {
		t.Fatal("the recovery ended without the other registrars")
	}
	if next := r.deadline(); next.Before(at(12)) {
		t.Errorf("it looks again at %v, though there is nothing to do", next)
	}
	r.inbox.Synchronised()
	r.takeChanges(at(20))
	tick(at(29))
	if r.recoverUntil.IsZero() {
		t.Error("the elements did not have their time")
	}
	tick(at(30))
	if !r.recoverUntil.IsZero() {
		t.Error("the recovery does not end")
	}
	r.takeChanges(at(40))
	if !r.recoverUntil.IsZero() {
		t.Error("the recovery begins again")
	}
}
