// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/agent/edge"
)

func loadEdge() (edge.Config, error) { return edge.LoadConfig("edge.yaml", interfaceNames) }

// A faulty file is reported and the next good one is taken.
func TestEdgeReadsItsConfigurationAgain(t *testing.T) {
	writeEdgeYAML(t, edgeYAML+"recovery: soon\n")
	logs, log := io.Pipe()
	hangups, reload := make(chan os.Signal), make(chan edge.Config)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer log.Close()
		reread(ctx, "edge.yaml", hangups, reload, slog.New(slog.NewTextHandler(log, nil)), loadEdge)
	}()
	lines := bufio.NewScanner(logs)
	hangups <- syscall.SIGHUP
	const fault = `edge.yaml:9: recovery: \"soon\" is not a duration, such as 500ms, 10s or 2h`
	if !lines.Scan() || !strings.Contains(lines.Text(), "level=ERROR") || !strings.Contains(lines.Text(), fault) {
		t.Fatalf("log: %s", lines.Text())
	}
	if err := os.WriteFile("edge.yaml", []byte(edgeYAML+"recovery: 7s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	hangups <- syscall.SIGHUP
	if cfg := <-reload; cfg.Recovery != 7*time.Second {
		t.Errorf("recovery %s", cfg.Recovery)
	}
	if !lines.Scan() || !strings.Contains(lines.Text(), "read again") {
		t.Errorf("log: %s", lines.Text())
	}
	cancel()
	<-done
}

// Nobody takes the configuration when the gateway is ending.
func TestEdgeReloadEndsWithItsContext(t *testing.T) {
	writeEdgeYAML(t, edgeYAML)
	hangups := make(chan os.Signal)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		reread(ctx, "edge.yaml", hangups, make(chan edge.Config), slog.New(slog.DiscardHandler), loadEdge)
	}()
	hangups <- syscall.SIGHUP
	cancel()
	<-done
}
