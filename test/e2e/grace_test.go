// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"testing"
	"time"
)

// An element that comes back within the grace keeps its connections, and was never lost.
func TestBackWithinGrace(t *testing.T) {
	d := deploy(t, "back")
	held := d.hold(web)
	d.killPE(1)
	d.awaitStates("active", "away")
	d.expectOnly(web, 0)
	d.expectAnswers(held[1])
	d.startPE(1)
	d.awaitStates("active", "active")
	d.expectOnly(web, 0, 1)
	d.expectAnswers(append(held[0], held[1]...))
	d.expectDeparted("lost", 0)
}

// An element that does not come back is lost when the grace is over, although its server runs: its
// idle clients hear of it.
func TestGraceOver(t *testing.T) {
	const grace = time.Second
	d := deploy(t, "grace", "grants:", "grace: "+grace.String()+"\n  grants:")
	held := d.hold(web)
	killed := time.Now()
	d.killPE(1)
	d.expectResets(held[1], grace+2*time.Second)
	if took := time.Since(killed); took < grace {
		t.Errorf("reset after %s, within the grace of %s", took, grace)
	}
	d.expectDeparted("lost", 1)
	d.expectAnswers(held[0])
	d.expectOnly(web, 0)
	d.awaitStates("active", "")
}
