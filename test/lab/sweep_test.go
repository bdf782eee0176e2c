// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/test/require"
)

// family is a process that has a daemon outside its process group.
const family = "setsid sh -c 'echo $$; exec sleep 1000' & exec sleep 1000"

// runCreator makes a lab and prints the pids of a process and of its daemon, and never returns
// before its standard input ends.
func runCreator() error {
	l, err := New("lab-crash", slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	n, err := l.Node("a")
	if err != nil {
		return err
	}
	if _, err := l.BPFFS(); err != nil {
		return err
	}
	cmd := exec.Command("sh", "-c", family)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	p, err := n.Start(cmd)
	if err != nil {
		return err
	}
	daemon, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return err
	}
	fmt.Println(p.Pid(), daemon)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func TestSweepAfterACrash(t *testing.T) {
	require.Need(t, require.Root, require.NetNS, require.BPF)
	creator := inRole(roleCreator)
	in, err := creator.StdinPipe()
	try(t, err)
	defer in.Close()
	out, err := creator.StdoutPipe()
	try(t, err)
	try(t, creator.Start())
	var child, daemon int
	_, err = fmt.Fscan(out, &child, &daemon)
	id := identity{name: "lab-crash", pid: creator.Process.Pid}

	try(t, Sweep("lab-crash"))
	if err != nil || !alive(child) || len(mountsOf(t, id)) != 2 {
		t.Errorf("a living creator's lab was swept: process %d, mounts %q, %v", child, mountsOf(t, id), err)
	}
	try(t, creator.Process.Kill())
	_ = creator.Wait()

	eventually(t, "the process dies with the lab's creator", func() bool { return !alive(child) })
	if !alive(daemon) {
		t.Error("the daemon needs no sweep: this test shows nothing")
	}
	try(t, Sweep("lab-cra"))
	checkSwept(t, id, daemon)
}

func checkSwept(t *testing.T, id identity, daemon int) {
	t.Helper()
	if alive(daemon) {
		t.Errorf("process %d is left", daemon)
	}
	if got := mountsOf(t, id); len(got) != 0 {
		t.Errorf("mounts are left: %q", got)
	}
	if got, _ := filepath.Glob(id.netns("*")); len(got) != 0 {
		t.Errorf("namespaces are left: %q", got)
	}
	if _, err := os.Stat(id.dir()); !os.IsNotExist(err) {
		t.Errorf("the directory is left: %v", err)
	}
}

func TestSweepAfterAPidIsUsedAgain(t *testing.T) {
	require.Need(t, require.Root)
	id := identity{name: "lab-reused", pid: os.Getpid()}
	try(t, os.Mkdir(id.dir(), 0o755))
	try(t, os.WriteFile(filepath.Join(id.dir(), ownerFile), []byte("1"), 0o644))
	try(t, Sweep("lab-reused"))
	if _, err := os.Stat(id.dir()); !os.IsNotExist(err) {
		t.Errorf("the directory of an earlier process with this pid is left: %v", err)
		try(t, os.RemoveAll(id.dir()))
	}
}

func TestParseIdentity(t *testing.T) {
	for base, want := range map[string]identity{
		"weir-demo-17":     {"demo", 17},
		"weir-e2e-loss-17": {"e2e-loss", 17},
		"weir-demo":        {},
		"weir-demo-":       {},
		"weir-demo-0":      {},
		"weir-demo-x":      {},
		"weir--17":         {},
		"demo-17":          {},
		"weir-..-17":       {},
	} {
		if got, ok := parseIdentity(base); got != want || ok != (want.pid != 0) {
			t.Errorf("%s: got %v %v, want %v", base, got, ok, want)
		}
	}
}

func TestStartTimeOfAnOddCommand(t *testing.T) {
	fields, err := os.ReadFile("/proc/self/stat")
	try(t, err)
	got, err := startTime(os.Getpid())
	try(t, err)
	// Whatever the command is called, the start time is 31 fields before the last (proc(5): 22 of 52).
	all := strings.Fields(string(fields))
	if want := all[len(all)-31]; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// startFamily runs a shell script that first prints the pid of a child.
func startFamily(t *testing.T, n *Node, script string) (*Process, int) {
	t.Helper()
	cmd := exec.Command("sh", "-c", script)
	out, err := cmd.StdoutPipe()
	try(t, err)
	p := start(t, n, cmd)
	line, err := bufio.NewReader(out).ReadString('\n')
	try(t, err)
	child, err := strconv.Atoi(strings.TrimSpace(line))
	try(t, err)
	return p, child
}

// alive says that a process exists and is no zombie.
func alive(pid int) bool {
	if unix.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	after := string(stat[strings.LastIndexByte(string(stat), ')')+1:])
	return !strings.HasPrefix(after, " Z")
}
