// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// What runs is not disturbed by a second gateway, nor removed from under its own agent.
func TestLiveEdgeIsLeftAlone(t *testing.T) {
	d := deploy(t, "live")
	held := d.hold(web)
	tests := []struct {
		name   string
		config string
		args   []string
		want   string
	}{
		{"same configuration", d.config(), nil,
			"another weir answers at DIR/edge.sock: stop it first, or choose another path for control"},
		{"other services, same registrar", d.config("edge.sock", "other.sock", "port: 80", "port: 81", "flows:", "metrics:\nflows:"), nil,
			"another program listens at 10.0.0.1:3864: stop it, or choose another address for registrar.listen"},
		{"remove", d.config(), []string{"--remove"},
			"a weir edge answers at DIR/edge.sock: stop it first, then remove what it leaves"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := d.write("second.yaml", tt.config)
			want := outcome{1, "", "weir edge: " + strings.ReplaceAll(tt.want, "DIR", d.dir) + "\n"}
			got := d.run(exec.Command(binary, append([]string{"edge", "--config", file}, tt.args...)...))
			if got != want {
				t.Errorf("\n got %+v\nwant %+v", got, want)
			}
			d.awaitStates("active", "active")
			d.expectOnly(web, 0, 1)
			d.expectAnswers(append(held[0], held[1]...))
		})
	}
}

// A stopped gateway goes on forwarding, without elements coming or going; --remove ends that.
func TestStoppedEdgeForwardsUntilRemoved(t *testing.T) {
	d := deploy(t, "stop")
	held := d.hold(web)
	d.must(d.edge.Signal(syscall.SIGTERM))
	if err := d.edge.Wait(); err != nil {
		t.Errorf("weir edge after SIGTERM: %v", err)
	}
	d.expectOnly(web, 0, 1)
	d.expectAnswers(append(held[0], held[1]...))
	if at := d.attached(); len(at) != len(gatewayIfs()) {
		t.Errorf("after SIGTERM the program is on %v", at)
	}
	remove := exec.Command(binary, "edge", "--config", d.path("edge.yaml"), "--remove")
	for range 2 { // the second time there is nothing
		if got := d.run(remove); got != (outcome{}) {
			t.Errorf("weir edge --remove: %+v", got)
		}
	}
	d.await("the program is off all interfaces", func() bool { return len(d.attached()) == 0 })
	d.nothingLeft()
	if name, err := d.request(web); err == nil {
		t.Errorf("after --remove %s answered", name)
	}
}
