// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const goldenCapture = "../../registrar/wire/testdata/rsplib-asap-basic.pcap"

func TestDecodePrintsObjects(t *testing.T) {
	got := inProcess(t, "decode", goldenCapture)
	lines := strings.SplitAfter(got.stdout, "\n")
	if got.status != 0 || got.stderr != "" || len(lines) != 37 || lines[36] != "" {
		t.Fatalf("status %d, %d lines, %s", got.status, len(lines), got.stderr)
	}
	for _, line := range lines[:36] {
		var o struct {
			Frame    int
			Protocol string
		}
		if err := json.Unmarshal([]byte(line), &o); err != nil || o.Frame == 0 || o.Protocol != "ASAP" {
			t.Errorf("%v: %s", err, line)
		}
	}
}

func TestDecodeReadsStandardInput(t *testing.T) {
	file, err := os.ReadFile(goldenCapture)
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	status := run(t.Context(), []string{"decode", "-"}, env{stdin: bytes.NewReader(file), stdout: &stdout, stderr: &stderr})
	if want := inProcess(t, "decode", goldenCapture); want != (outcome{status, stdout.String(), stderr.String()}) {
		t.Errorf("status %d: %s%s", status, &stdout, &stderr)
	}
}

// The second interrupt ends the reading of a pipe that nobody writes to.
func TestDecodeIsInterrupted(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	again := make(chan struct{})
	close(again)
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), []string{"decode", "-"}, env{stdin: r, stdout: &stdout, stderr: &stderr, again: again}); status != 0 {
		t.Errorf("status %d: %s", status, &stderr)
	}
}

// A capture's first announcement with a message length of 3.
func TestDecodeStrict(t *testing.T) {
	file, err := os.ReadFile(goldenCapture)
	if err != nil {
		t.Fatal(err)
	}
	const fileHeader, frameHeader, udpPayload = 24, 16, 14 + 20 + 8
	file[fileHeader+frameHeader+udpPayload+3] = 3
	name := filepath.Join(t.TempDir(), "bad.pcap")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := inProcess(t, "decode", name); got.status != 0 || strings.Count(got.stdout, `"error":`) != 1 || got.stderr != "" {
		t.Errorf("status %d: %s%s", got.status, got.stdout, got.stderr)
	}
	got := inProcess(t, "decode", "--strict", name)
	if want := "weir decode: " + name + ": malformed messages: 1\n"; got.status != 1 || got.stderr != want {
		t.Errorf("status %d: %s", got.status, got.stderr)
	}
	if n := strings.Count(got.stdout, "\n"); n != 36 {
		t.Errorf("%d lines", n)
	}
}

func TestDecodeMisuse(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want outcome
	}{
		{[]string{"decode"}, outcome{2, "", "weir decode: FILE.pcap, or - for standard input, is missing; weir decode --help shows the usage\n"}},
		{[]string{"decode", "a", "b"}, outcome{2, "", "weir decode: unexpected argument \"b\"; weir decode --help lists the flags\n"}},
		{[]string{"decode", "none.pcap"}, outcome{1, "", "weir decode: open none.pcap: no such file or directory\n"}},
		{[]string{"decode", "decode_test.go"}, outcome{1, "", "weir decode: decode_test.go: neither a pcap nor a pcapng file\n"}},
	} {
		if got := inProcess(t, tt.args...); got != tt.want {
			t.Errorf("weir %v:\n got %+v\nwant %+v", tt.args, got, tt.want)
		}
	}
}
