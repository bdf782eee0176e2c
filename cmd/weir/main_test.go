// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

// binary is the built weir, for tests of the process: exit status and signals.
var binary string

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "weir-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "weir")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build weir: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// outcome is what a user sees of a command.
type outcome struct {
	status         int
	stdout, stderr string
}

// inProcess runs a command line that must end by itself.
func inProcess(t *testing.T, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	status := run(t.Context(), args, env{stdout: &stdout, stderr: &stderr})
	return outcome{status, stdout.String(), stderr.String()}
}

// asProcess is inProcess with the real binary.
func asProcess(t *testing.T, args ...string) outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var failed *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func TestMisuse(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, "weir: a subcommand is missing; weir help lists them\n"},
		{[]string{"serve"}, "weir: unknown subcommand \"serve\"; weir help lists them\n"},
		{[]string{"help", "serve"}, "weir help: unknown subcommand \"serve\"; weir help lists them\n"},
		{[]string{"version", "--long"}, "weir version: unknown flag --long; weir version --help lists the flags\n"},
		{[]string{"version", "now"}, "weir version: unexpected argument \"now\"; weir version --help lists the flags\n"},
	} {
		want := outcome{status: 2, stderr: test.want}
		if got := inProcess(t, test.args...); got != want {
			t.Errorf("weir %v:\n got %+v\nwant %+v", test.args, got, want)
		}
	}
}

func TestHelpListsAndDescribesEverySubcommand(t *testing.T) {
	for _, ask := range []string{"help", "--help", "-h"} {
		got := inProcess(t, ask)
		if got.status != 0 || got.stderr != "" {
			t.Errorf("weir %s: %+v", ask, got)
		}
		for _, c := range commands() {
			if !strings.Contains(got.stdout, "  "+c.name+" ") || !strings.Contains(got.stdout, c.summary+"\n") {
				t.Errorf("weir %s does not list %s:\n%s", ask, c.name, got.stdout)
			}
		}
	}
	for _, c := range commands() {
		if c.name == "help" {
			continue
		}
		long, short := inProcess(t, "help", c.name), inProcess(t, c.name, "--help")
		if long.status != 0 || long.stderr != "" || !strings.HasPrefix(long.stdout, "Usage: weir "+c.name) {
			t.Errorf("weir help %s: %+v", c.name, long)
		}
		if long != short {
			t.Errorf("weir help %s and weir %s --help differ:\n%+v\n%+v", c.name, c.name, long, short)
		}
	}
}

func TestReportChoosesTheStatus(t *testing.T) {
	for _, test := range []struct {
		err    error
		status int
		stderr string
	}{
		{nil, 0, ""},
		{flag.ErrHelp, 0, ""},
		{errors.New("it broke"), 1, "weir pe: it broke\n"},
		{usagef("--pool is missing"), 2, "weir pe: --pool is missing\n"},
		{fmt.Errorf("line 3: %w", usagef("unknown key")), 2, "weir pe: line 3: unknown key\n"},
	} {
		var stderr bytes.Buffer
		c := command{name: "pe"}
		if status := report(c, test.err, env{stderr: &stderr}); status != test.status || stderr.String() != test.stderr {
			t.Errorf("%v: status %d, stderr %q; want %d, %q", test.err, status, stderr.String(), test.status, test.stderr)
		}
	}
}

func TestVersionLine(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: "go1.26.0", Main: debug.Module{Version: "v0.1.0"}}
	if got, want := versionLine(info), "weir v0.1.0 go1.26.0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	info.Settings = []debug.BuildSetting{{Key: "vcs.revision", Value: "abc123"}, {Key: "vcs.modified", Value: "true"}}
	if got, want := versionLine(info), "weir v0.1.0 commit abc123+changes go1.26.0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestExitStatusOfTheProcess(t *testing.T) {
	if got := asProcess(t, "version"); got.status != 0 || !strings.HasPrefix(got.stdout, "weir ") {
		t.Errorf("weir version: %+v", got)
	}
	if got := asProcess(t, "nonsense"); got.status != 2 {
		t.Errorf("weir nonsense: %+v", got)
	}
}
