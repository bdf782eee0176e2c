// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"slices"
	"strings"
	"syscall"
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

// A table of another size takes the flows over: also those of an element that drains, which no
// selection would find again.
func TestRestartWithAnotherFlowTable(t *testing.T) {
	for name, size := range map[string]string{"larger": "8192", "smaller": "2048"} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t, name)
			held := d.hold(web)
			d.must(d.pes[1].Signal(syscall.SIGTERM))
			d.awaitStates("active", "draining")
			d.killEdge()
			d.configure("max: 4096", "max: "+size)
			d.startEdge()
			d.awaitStates("active", "draining")
			d.expectAnswers(append(held[0], held[1]...))
			d.await("the other registers again", func() bool { return d.status().Registrar.Elements == 1 })
			d.expectOnly(web, 0)
			d.expectAnswers(append(held[0], held[1]...))
		})
	}
}

// A start that fails leaves what the last run does as it is: its program, on its maps.
func TestFailedRestartLeavesTheLastRun(t *testing.T) {
	for _, tt := range []struct{ name, size string }{{"same-table", "4096"}, {"other-table", "8192"}} {
		t.Run(tt.name, func(t *testing.T) {
			d := deploy(t, "failed-"+tt.name)
			_, err := d.host("other", "other0", firstServer+servers)
			d.must(err)
			d.must(d.gateway.AttachPass("other0"))
			held := d.hold(web)
			d.killEdge()
			before := d.pinned()

			d.configure("max: 4096", "max: "+tt.size, "back2]", "back2, other0]")
			want := "weir edge: attach to other0: another XDP program is there: remove it with `ip link set dev other0 xdp off` first\n"
			if got := d.run(edgeCommand(d)); got.status != 1 || !strings.HasSuffix(got.stderr, want) {
				t.Errorf("\n got %+v\nwant status 1 and %q", got, want)
			}
			if after := d.pinned(); !slices.Equal(after, before) {
				t.Errorf("pinned\n before %v\n  after %v", before, after)
			}
			held = join(held, d.hold(web)) // flows that begin meanwhile
			d.configure()
			d.startEdge()
			if flows := d.awaitFlows(2 * enough); flows != 2*enough {
				t.Errorf("%d flows are known, want %d", flows, 2*enough)
			}
			d.expectAnswers(append(held[0], held[1]...))
		})
	}
}

func join(a, b [servers][]*conn) (both [servers][]*conn) {
	for i := range both {
		both[i] = append(a[i], b[i]...)
	}
	return both
}
