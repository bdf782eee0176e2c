// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os/exec"
	"strings"
	"testing"
)

// order runs a command that goes to the gateway, which must take it.
func (d *deployment) order(args ...string) string {
	d.t.Helper()
	got := d.run(exec.Command(binary, append(args, "--control", d.control())...))
	if got.status != 0 || got.stderr != "" {
		d.t.Fatalf("weir %s: %+v", strings.Join(args, " "), got)
	}
	return got.stdout
}

// An element that is drained keeps its connections and gets no new ones, whatever happens to it and to the
// gateway, until that is taken back.
func TestDrainedByAnOperator(t *testing.T) {
	d := deploy(t, "maintenance", "grants:", "grace: 1s\n  grants:")
	held := d.hold(web)
	drained := func(when string) {
		t.Helper()
		d.expectOnly(web, 0)
		if e := element(d.status(), 1); !e.Drained || e.Share != 0 {
			t.Errorf("%s: %+v, want it drained", when, e)
		}
	}
	want := "tcp://10.0.100.1:80  0x00000002 (pe-2) at 10.0.12.2:8080: DRAINED, weight 1, 0.0% of new flows, "
	if said := d.order("drain", "web", "pe-2"); !strings.HasPrefix(said, want) {
		t.Errorf("weir drain says %q, want %q", said, want)
	}
	drained("from now on")
	d.expectAnswers(append(held[0], held[1]...))
	if table := d.order("status"); !strings.Contains(table, " DRAINED ") || !strings.Contains(table, "1 of 2 elements active") {
		t.Errorf("the status does not say so:\n%s", table)
	}
	d.reload(reloaded)
	drained("after a reload")
	d.killEdge()
	d.expectOnly(web, 0) // nobody but the kernel is there
	d.startEdge()
	drained("after a restart")
	d.awaitStates("active", "active")
	drained("when it has registered again")
	d.expectAnswers(append(held[0], held[1]...))

	d.killPE(1)
	d.expectResets(held[1], patience)
	d.awaitStates("active", "lost") // and its row stays, for its order
	d.startPE(1)
	d.awaitStates("active", "active")
	drained("when it was gone and came back")

	d.order("undrain", "web", peID(1))
	d.expectOnly(web, 0, 1)
	d.order("weight", "web", "pe-2", "0")
	d.expectOnly(web, 0)
	d.order("weight", "web", "pe-2", "auto")
	d.expectOnly(web, 0, 1)

	refused := d.run(exec.Command(binary, "drain", "--control", d.control(), "web", "pe-3"))
	if want := "weir drain: pool web has no element \"pe-3\": it has 0x00000001 (pe-1), 0x00000002 (pe-2)\n"; refused != (outcome{1, "", want}) {
		t.Errorf("an element that is not there: %+v, want %s", refused, want)
	}
}
