// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

func startSleep(t *testing.T, n *Node) *Process {
	t.Helper()
	return start(t, n, exec.Command("sleep", "1000"))
}

func start(t *testing.T, n *Node, cmd *exec.Cmd) *Process {
	t.Helper()
	p, err := n.Start(cmd)
	try(t, err)
	return p
}

func TestProcessRunsInside(t *testing.T) {
	l := newLab(t, "lab-inside")
	a := newNode(t, l, "a")
	cmd := exec.Command("sh", "-c", `readlink /proc/self/ns/net; echo "$WORD" >&2; readlink /proc/self/ns/mnt`)
	cmd.Env = append(os.Environ(), "WORD=weir")
	p := start(t, a, cmd)
	try(t, p.Wait())

	mounts, err := os.Readlink("/proc/self/ns/mnt")
	try(t, err)
	want := namespaceOf(t, a) + "\nweir\n" + mounts + "\n"
	if got, err := os.ReadFile(p.LogFile()); err != nil || string(got) != want {
		t.Errorf("log: %q, %v; want %q", got, err, want)
	}
	if !strings.HasPrefix(p.LogFile(), l.LogDir()+"/a-sh-") {
		t.Errorf("log file %s, want it in %s and named after node and program", p.LogFile(), l.LogDir())
	}
}

func TestProcessOutputToCaller(t *testing.T) {
	l := newLab(t, "lab-output")
	var out bytes.Buffer
	cmd := exec.Command("echo", "hello")
	cmd.Stdout = &out
	p := start(t, newNode(t, l, "a"), cmd)
	try(t, p.Wait())
	if out.String() != "hello\n" {
		t.Errorf("output %q", out.String())
	}
}

func TestProcessExitStatus(t *testing.T) {
	l := newLab(t, "lab-status")
	p := start(t, newNode(t, l, "a"), exec.Command("sh", "-c", "exit 3"))
	var exit *exec.ExitError
	if err := p.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("got %v, want exit status 3", err)
	}
	if err := p.Kill(); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("kill after the end: %v, want %v", err, os.ErrProcessDone)
	}
}

func TestProcessSignal(t *testing.T) {
	l := newLab(t, "lab-signal")
	p := startSleep(t, newNode(t, l, "a"))
	try(t, p.Signal(syscall.SIGTERM))
	if got := endSignal(p.Wait()); got != syscall.SIGTERM {
		t.Errorf("ended by %v, want %v", got, syscall.SIGTERM)
	}
}

func TestProcessDiesWithItsContext(t *testing.T) {
	l := newLab(t, "lab-context")
	ctx, cancel := context.WithCancel(t.Context())
	p := start(t, newNode(t, l, "a"), exec.CommandContext(ctx, "sleep", "1000"))
	cancel()
	<-p.Done()
	if err := p.Wait(); err == nil {
		t.Error("a killed process ended well")
	}
}

func TestGroupDiesWithItsLeader(t *testing.T) {
	l := newLab(t, "lab-group")
	n := newNode(t, l, "a")
	for name, end := range map[string]func(*Process) error{
		"killed": (*Process).Kill,
		"ends":   func(p *Process) error { return p.Signal(syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			p, member := startFamily(t, n, "sleep 1000 & echo $!; exec sleep 1000")
			try(t, end(p))
			<-p.Done()
			eventually(t, "the rest of the group is gone", func() bool { return !alive(member) })
		})
	}
}

func TestCloseKillsWhoLeftTheGroup(t *testing.T) {
	l := newLab(t, "lab-daemon")
	p, daemon := startFamily(t, newNode(t, l, "a"), family)
	try(t, p.Kill())
	<-p.Done()
	if !alive(daemon) {
		t.Fatal("the daemon is in the group after all")
	}
	try(t, l.Close())
	if alive(daemon) {
		t.Errorf("process %d outlives the lab", daemon)
	}
}

func TestStartNeedsAProgram(t *testing.T) {
	l := newLab(t, "lab-noprog")
	_, err := newNode(t, l, "a").Start(exec.Command("/no/such/program"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want that it does not exist", err)
	}
	if logs, _ := os.ReadDir(l.LogDir()); len(logs) != 0 {
		t.Errorf("logs of nothing: %v", logs)
	}
}

func endSignal(err error) syscall.Signal {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0
	}
	return exit.Sys().(syscall.WaitStatus).Signal()
}
