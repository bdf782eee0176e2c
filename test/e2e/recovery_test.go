// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"testing"
	"time"
)

// After a restart an element that does not come back keeps its flows for the recovery, and is lost then.
func TestElementThatDoesNotSurviveARestart(t *testing.T) {
	const recovery = 1500 * time.Millisecond
	d := deploy(t, "recovery", "flows:", "recovery: "+recovery.String()+"\nflows:")
	held := d.hold(web)
	d.killEdge()
	d.killPE(1)
	started := time.Now()
	d.startEdge()
	if !d.status().Recovering {
		t.Error("it does not say that it recovers")
	}
	d.expectAnswers(append(held[0], held[1]...))
	d.expectOnly(web, 0, 1) // the server runs, and nobody knows better
	d.expectResets(held[1], recovery+2*time.Second)
	if took := time.Since(started); took < recovery {
		t.Errorf("reset after %s, within the recovery of %s", took, recovery)
	}
	d.expectAnswers(held[0])
	d.expectOnly(web, 0)
	d.awaitStates("active", "")
	if d.status().Recovering {
		t.Error("it still recovers")
	}
}

// A table of another size takes the flows over.
func TestRestartWithAnotherFlowTable(t *testing.T) {
	for name, size := range map[string]string{"larger": "8192", "smaller": "2048"} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t, name)
			held := d.hold(web)
			d.killEdge()
			d.configure("max: 4096", "max: "+size)
			d.startEdge()
			d.expectAnswers(append(held[0], held[1]...))
			d.awaitStates("active", "active")
			d.await("all elements registered again", func() bool { return d.status().Registrar.Elements == servers })
			d.expectOnly(web, 0, 1)
			d.expectAnswers(append(held[0], held[1]...))
		})
	}
}
