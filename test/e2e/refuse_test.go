// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// outcome is what a user sees of a command that ends by itself.
type outcome struct {
	status         int
	stdout, stderr string
}

// run runs a command in the gateway.
func (n *network) run(cmd *exec.Cmd) outcome {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	bounded := exec.CommandContext(ctx, cmd.Path, cmd.Args[1:]...)
	bounded.Env, bounded.SysProcAttr, bounded.Stdout, bounded.Stderr = cmd.Env, cmd.SysProcAttr, &stdout, &stderr
	p, err := n.gateway.Start(bounded)
	n.must(err)
	_ = p.Wait() // the status tells
	if ctx.Err() != nil {
		n.t.Fatalf("%v does not end: %s", cmd.Args, stderr.String())
	}
	return outcome{bounded.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// refused is a way in which a gateway cannot start, and what it says. DIR and PINS in want are
// replaced by paths.
type refused struct {
	name    string
	prepare func(d *deployment) // nil: nothing
	command func(d *deployment) *exec.Cmd
	there   []string // interfaces that have an XDP program of somebody else
	status  int
	want    string
}

func edgeCommand(d *deployment) *exec.Cmd {
	return exec.Command(binary, "edge", "--config", d.path("edge.yaml"))
}

// changed is a preparation: a configuration that differs from baseConfig.
func changed(pairs ...string) func(*deployment) {
	return func(d *deployment) { d.configure(pairs...) }
}

const badConfig = "bad configuration, nothing was started\n"

// Status 2: the configuration says it, at this line.
func badConfigurations() []refused {
	return []refused{
		{name: "unknown key", prepare: changed("flows:", "flow:"), status: 2,
			want: badConfig + `DIR/edge.yaml:10: flow: unknown key; known here: bpf, control, errors_per_second, flows, guard, interfaces, log_level, metrics, recovery, registrar, selection, services, tunnel_source`},
		{name: "unknown pool", prepare: changed("flows:", "  - {vip: 10.0.100.1, port: 81, protocol: tcp, pool: wob}\nflows:"), status: 2,
			want: badConfig + `DIR/edge.yaml:10: services[1].pool: unknown pool "wob": no grant lets anyone serve it`},
		{name: "overlapping VIPs", prepare: changed("flows:", "  - {vip: 10.0.100.1, port: 80, protocol: tcp, pool: web}\nflows:"), status: 2,
			want: badConfig + `DIR/edge.yaml:10: services[1].vip: tcp://10.0.100.1:80 is served by services[0] already`},
		{name: "missing interface", prepare: changed("back2]", "back3]"), status: 2,
			want: badConfig + `DIR/edge.yaml:7: interfaces[2]: no interface "back3" on this machine, which has back1, back2, client0, lo`},
	}
}

// Status 1: the key file. No digit of a key may be shown.
func badKeyFiles() []refused {
	keys := func(text string, mode os.FileMode) func(*deployment) {
		return func(d *deployment) {
			d.must(os.Chmod(d.write("registrar.keys", text), mode))
		}
	}
	return []refused{
		{name: "loose permissions", prepare: keys("pe-1:"+knownKey, 0o644), status: 1,
			want: `key file DIR/registrar.keys has mode 0644, so that others than its owner may use it; run: chmod 0600 DIR/registrar.keys`},
		{name: "duplicate identity", prepare: keys("pe-1:"+knownKey+"\npe-1:"+otherKey, 0o600), status: 1,
			want: `key file DIR/registrar.keys: line 2: its identity already has a key on line 1`},
		{name: "short key", prepare: keys("pe-1:"+knownKey[:30], 0o600), status: 1,
			want: `key file DIR/registrar.keys: line 1: the key has 15 bytes; it needs at least 16`},
	}
}

const (
	knownKey = "c0ffee11c0ffee22c0ffee33c0ffee44"
	otherKey = "c0ffee55c0ffee66c0ffee77c0ffee88"
	keyPart  = "c0ffee"
)

// Status 1: what the machine or the user lacks.
func badMachines() []refused {
	return []refused{
		{name: "no bpf file system", prepare: changed("bpf: PINS", "bpf: DIR/pins"), status: 1,
			want: "DIR/pins is not on a bpf file system: run `mount -t bpf bpf /sys/fs/bpf`, or set bpf: to a folder on one"},
		{name: "not root", prepare: readable, command: asNobody, status: 1, want: "open key file: open DIR/registrar.keys: permission denied: run weir edge as root"},
		{name: "not root, with a key file of its own", prepare: owned, command: asNobody, status: 1, want: "open the control socket: listen unix DIR/edge.sock: bind: permission denied: run weir edge as root"},
		{name: "root without CAP_BPF", command: func(d *deployment) *exec.Cmd {
			return inRole(roleUncapable, edgeCommand(d).Args...)
		}, status: 1, want: "load the program: not permitted: this needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, which root has unless they were taken away, as in a container"},
		{name: "no forwarding", prepare: func(d *deployment) {
			d.must(d.gateway.Sysctl("net.ipv4.ip_forward", "0"))
			d.t.Cleanup(func() { d.must(d.gateway.Sysctl("net.ipv4.ip_forward", "1")) })
		}, status: 1, want: "no forwarding of IPv4 on client0, back1, back2: run `sysctl -w net.ipv4.ip_forward=1`"},
		{name: "registrar address in use", prepare: occupied, status: 1, want: "another program listens at 10.0.0.1:3864: stop it, or choose another address for registrar.listen"},
		{name: "registrar address not local", prepare: changed("10.0.0.1:3864", "10.0.0.9:3864"), status: 1, want: "10.0.0.9 is not an address of this machine: add it to an interface, or choose another one for registrar.listen"},
		{name: "metrics address not local", prepare: changed("flows:", "metrics: 10.0.0.9:9464\nflows:"), status: 1, want: "10.0.0.9 is not an address of this machine: add it to an interface, or choose another one for metrics"},
		{name: "another XDP program", prepare: func(d *deployment) {
			d.must(d.gateway.AttachPass("back2"))
			d.t.Cleanup(func() { d.must(d.detach("back2")) })
		}, there: []string{"back2"}, status: 1,
			want: "attach to back2: another XDP program is there: remove it with `ip link set dev back2 xdp off` first"},
		{name: "control is no socket", prepare: changed("control: DIR/edge.sock", "control: DIR/edge.yaml"), status: 1,
			want: "DIR/edge.yaml is not a socket: remove it, or choose another path for control"},
	}
}

func asNobody(d *deployment) *exec.Cmd {
	cmd := edgeCommand(d)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return cmd
}

const nobody = 65534

func readable(d *deployment) { d.must(os.Chmod(d.path("edge.yaml"), 0o644)) }

func owned(d *deployment) {
	readable(d)
	d.must(os.Chown(d.path("registrar.keys"), nobody, nobody))
}

// occupied has another program listen at the registrar's address.
func occupied(d *deployment) {
	cmd := inRole(roleServe, "other", "10.0.0.1:3864")
	p, err := d.gateway.Start(cmd)
	d.must(err)
	d.await("another program listens", func() bool { return d.gatewayAnswers("10.0.0.1:3864") })
	d.t.Cleanup(func() {
		d.must(p.Kill())
		<-p.Done()
	})
}

// A gateway that cannot start says why in one sentence, and leaves nothing behind.
func TestEdgeRefusesToStart(t *testing.T) {
	d := prepare(t, "refuse")
	all := append(append(badConfigurations(), badKeyFiles()...), badMachines()...)
	for _, tt := range all {
		t.Run(tt.name, func(t *testing.T) {
			d.t = t
			d.configure()
			d.writeKeys()
			d.must(os.Chown(d.path("registrar.keys"), 0, 0))
			if tt.prepare != nil {
				tt.prepare(d)
			}
			command := edgeCommand
			if tt.command != nil {
				command = tt.command
			}
			want := outcome{tt.status, "", "weir edge: " + strings.NewReplacer("DIR", d.dir, "PINS", d.pins).Replace(tt.want) + "\n"}
			got := d.run(command(d))
			if got != want {
				t.Errorf("\n got %+v\nwant %+v", got, want)
			}
			if strings.Contains(got.stderr, keyPart) {
				t.Error("it shows a key")
			}
			d.nothingLeft(tt.there...)
		})
	}
	d.t = t
}
