// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// controlSocket answers as an edge would, with document, until the test ends.
func controlSocket(t *testing.T, document string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "edge.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method+r.URL.Path != "GET/v1/status" {
			w.WriteHeader(http.StatusNotFound)
		}
		w.Write([]byte(document))
	})}
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(l) }()
	t.Cleanup(func() { server.Close(); <-done })
	return path
}

const statusDocument = `{"ready": true, "server_id": "0x1a2b3c4d", "of_a_newer_edge": 1,
  "services": [{"vip": "tcp://10.0.100.1:80", "pool": "web", "policy": "round-robin", "elements": []}]}
`

func TestStatusJSONIsTheDocumentItself(t *testing.T) {
	want := outcome{0, statusDocument, ""}
	if got := inProcess(t, "status", "--control", controlSocket(t, statusDocument), "--json"); got != want {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

func TestStatusTable(t *testing.T) {
	got := inProcess(t, "status", "--control", controlSocket(t, statusDocument))
	if got.status != 0 || got.stderr != "" || !strings.HasPrefix(got.stdout, "weir edge  ready\n") ||
		!strings.Contains(got.stdout, "\ntcp://10.0.100.1:80  pool web  policy round-robin  flows 0  NO ACTIVE ELEMENT") {
		t.Errorf("%+v", got)
	}
}

func TestStatusFailures(t *testing.T) {
	absent := filepath.Join(t.TempDir(), "edge.sock")
	garbled := controlSocket(t, "<html>")
	tests := []struct {
		name string
		args []string
		want outcome
	}{
		{"nobody there", []string{"--control", absent}, outcome{1, "", "weir status: nobody answers at " + absent +
			" (no such file or directory): is weir edge or weir registrar running, and does its configuration name this control socket?\n"}},
		{"not an edge", []string{"--control", garbled}, outcome{1, "", "weir status: read the status from " + garbled +
			": invalid character '<' looking for beginning of value\n"}},
		{"too often", []string{"--watch", "1ms"}, outcome{2, "", "weir status: --watch 1ms is too often; 100ms is the least\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := inProcess(t, append([]string{"status"}, tt.args...)...); got != tt.want {
				t.Errorf("\n got %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

// stopAfter is a screen that ends the watch after some frames.
type stopAfter struct {
	bytes.Buffer
	frames int
	stop   func()
}

func (s *stopAfter) Write(p []byte) (int, error) {
	if s.frames--; s.frames == 0 {
		s.stop()
	}
	return s.Buffer.Write(p)
}

func watched(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	screen := &stopAfter{frames: 2, stop: cancel}
	if err := runStatus(ctx, append(args, "--watch", "100ms"), env{stdout: screen, stderr: screen}); err != nil {
		t.Error(err)
	}
	return screen.String()
}

func TestStatusWatch(t *testing.T) {
	out := watched(t, "--control", controlSocket(t, statusDocument))
	if frames := strings.Split(out, "\x1b[H\x1b[2Jweir edge  ready\n"); len(frames) != 3 || frames[1] != frames[2] {
		t.Errorf("not two frames: %q", out)
	}
}

func TestStatusWatchWaitsForAnEdge(t *testing.T) {
	out := watched(t, "--control", filepath.Join(t.TempDir(), "edge.sock"))
	if strings.Count(out, "\x1b[H\x1b[2Jnobody answers at ") != 2 {
		t.Errorf("not two frames: %q", out)
	}
}
