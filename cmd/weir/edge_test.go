// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const edgeYAML = `registrar:
  listen: 127.0.0.1:3864
  key_file: keys
  grants:
    - {identity: pe-1, pools: [web], addresses: [10.0.11.2]}
interfaces: [lo]
services:
  - {vip: 10.0.100.1, port: 80, protocol: tcp, pool: web}
`

func writeEdgeYAML(t *testing.T, text string) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("edge.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestEdgeCheck(t *testing.T) {
	const bad = "weir edge: bad configuration, nothing was started\n"
	tests := []struct {
		name, text string
		want       outcome
	}{
		{"good", edgeYAML, outcome{0, "edge.yaml: ok\n", ""}},
		{"two faults", strings.Replace(edgeYAML, "10.0.100.1", "10.0.100", 1) + "recovery: soon\n", outcome{2, "", bad +
			`edge.yaml:8: services[0].vip: "10.0.100" is not an IP address` + "\n" +
			`edge.yaml:9: recovery: "soon" is not a duration, such as 500ms, 10s or 2h` + "\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			writeEdgeYAML(t, tt.text)
			if got := inProcess(t, "edge", "--config", "edge.yaml", "--check"); got != tt.want {
				t.Errorf("\n got %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestEdgeBadConfigurationIsUsageWithoutCheck(t *testing.T) {
	writeEdgeYAML(t, "")
	want := outcome{2, "", "weir edge: bad configuration, nothing was started\nedge.yaml:1: the file is empty\n"}
	if got := inProcess(t, "edge", "--config", "edge.yaml"); got != want {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

func TestEdgeNeedsAConfiguration(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, tt := range []struct {
		args   []string
		stderr string
	}{
		{[]string{"edge"}, "weir edge: --config is missing; weir edge --help lists the flags\n"},
		{[]string{"edge", "--config", "edge.yaml", "--check", "--remove"},
			"weir edge: --check and --remove exclude each other; weir edge --help lists the flags\n"},
		{[]string{"edge", "--config", "none.yaml"},
			"weir edge: bad configuration, nothing was started\nopen none.yaml: no such file or directory\n"},
	} {
		want := outcome{2, "", tt.stderr}
		if got := inProcess(t, tt.args...); got != want {
			t.Errorf("\n got %+v\nwant %+v", got, want)
		}
	}
}

// What --remove takes away is tested in test/e2e; here, when it must not.
func TestEdgeRemoveRefuses(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(socket string) (close func() error, err error)
		want    string
	}{
		{"a live edge", func(socket string) (func() error, error) {
			l, err := net.Listen("unix", socket)
			return l.Close, err
		}, "weir edge: a weir edge answers at SOCKET: stop it first, then remove what it leaves\n"},
		{"no bpf file system", func(string) (func() error, error) {
			return func() error { return nil }, nil
		}, "weir edge: PINS is not on a bpf file system: run `mount -t bpf bpf /sys/fs/bpf`, or set bpf: to a folder on one\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			socket, pins := filepath.Join(dir, "edge.sock"), filepath.Join(dir, "pins")
			writeEdgeYAML(t, edgeYAML+"control: "+socket+"\nbpf: "+pins+"\n")
			closeSocket, err := tt.prepare(socket)
			if err != nil {
				t.Fatal(err)
			}
			defer closeSocket()
			want := outcome{1, "", strings.NewReplacer("SOCKET", socket, "PINS", pins).Replace(tt.want)}
			if got := inProcess(t, "edge", "--config", "edge.yaml", "--remove"); got != want {
				t.Errorf("\n got %+v\nwant %+v", got, want)
			}
		})
	}
}
