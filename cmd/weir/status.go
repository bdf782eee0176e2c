// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/weir-lb/weir/agent/edge"
	"github.com/weir-lb/weir/agent/operate"
	"github.com/weir-lb/weir/agent/server"
)

const statusHelp = `
Usage: weir status [--control PATH] [--json] [--watch INTERVAL]

Shows the gateway on this machine: services, elements, flows, and what became
of the packets, drops first. Without a gateway, or with its control socket as
--control, the registrar: the other registrars, pools and their elements.`

// clearScreen puts the cursor in the first corner and erases to the last.
const clearScreen = "\x1b[H\x1b[2J"

// statusView is what to show, and how.
type statusView struct {
	control string
	json    bool
	out     io.Writer
	faults  io.Writer // an edge that does not answer, between documents
}

func runStatus(ctx context.Context, args []string, env env) error {
	fs := newFlags("status", statusHelp, env)
	control := fs.String("control", defaultControl(), "the `path` of the control socket")
	asJSON := fs.Bool("json", false, "print the status as one JSON document")
	watch := fs.Duration("watch", 0, "show it again after each `interval`, such as 1s, until interrupted")
	if err := parseFlags(fs, args); err != nil {
		return err
	}
	view := statusView{*control, *asJSON, env.stdout, env.stderr}
	switch {
	case *watch == 0:
		return view.show(ctx)
	case *watch < 100*time.Millisecond:
		return usagef("--watch %s is too often; 100ms is the least", *watch)
	}
	return view.watch(ctx, *watch)
}

// show prints the status once.
func (v statusView) show(ctx context.Context) error {
	document, err := operate.FetchStatus(ctx, v.control)
	if err != nil {
		return err
	}
	if v.json {
		_, err := v.out.Write(document)
		return err
	}
	status, err := parseStatus(document)
	if err != nil {
		return fmt.Errorf("read the status from %s: %w", v.control, err)
	}
	return status.WriteTable(v.out, time.Now())
}

// table is a status that can be shown to people.
type table interface {
	WriteTable(w io.Writer, now time.Time) error
}

// parseStatus reads the document of whoever answered, by its role; a gateway of an earlier version has none.
func parseStatus(document []byte) (table, error) {
	var who struct {
		Role operate.Role `json:"role"`
	}
	if err := json.Unmarshal(document, &who); err != nil {
		return nil, err
	}
	if who.Role == operate.Registrar {
		var status server.Status
		return &status, json.Unmarshal(document, &status)
	}
	var status edge.Status
	return &status, json.Unmarshal(document, &status)
}

// defaultControl is the gateway's control socket, or the registrar's if only that is there.
func defaultControl() string {
	edge, registrar := operate.Edge.DefaultControl(), operate.Registrar.DefaultControl()
	if _, err := os.Lstat(edge); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(registrar); err == nil {
			return registrar
		}
	}
	return edge
}

// watch shows the status until ctx ends. An edge that does not answer is waited
// for: it may be restarting.
func (v statusView) watch(ctx context.Context, interval time.Duration) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		if err := v.frame(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// frame shows the status once on a cleared screen, in one write so that it does
// not flicker; as JSON it needs no screen.
func (v statusView) frame(ctx context.Context) error {
	var b bytes.Buffer
	once := statusView{control: v.control, json: v.json, out: &b}
	if !v.json {
		b.WriteString(clearScreen)
		v.faults = &b
	}
	if err := once.show(ctx); err != nil && ctx.Err() == nil {
		fmt.Fprintln(v.faults, err)
	}
	_, err := b.WriteTo(v.out)
	return err
}
