// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bufio"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/weir-lb/weir/test/require"
)

// patience bounds every wait of these tests for something that does happen.
const patience = 10 * time.Second

// What this test binary does instead of testing, by the value of roleEnv.
const (
	roleEnv         = "WEIR_LAB_ROLE"
	roleCreator     = "creator"
	roleFirstThread = "first-thread"
)

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(roleEnv) {
	case roleCreator:
		err = runCreator()
	case roleFirstThread:
		err = runFirstThread()
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// inRole is this test binary as another process.
func inRole(role string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	cmd.Stderr = os.Stderr
	return cmd
}

func newLab(t *testing.T, name string) *Lab {
	t.Helper()
	require.Need(t, require.Root, require.NetNS)
	l, err := New(name, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func newNode(t *testing.T, l *Lab, name string) *Node {
	t.Helper()
	n, err := l.Node(name)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// newPair is two nodes with a link, a at 10.9.0.1 and b at 10.9.0.2.
func newPair(t *testing.T, l *Lab) (a, b *Node) {
	t.Helper()
	a, b = newNode(t, l, "a"), newNode(t, l, "b")
	err := l.Link(
		End{a, "eth0", netip.MustParsePrefix("10.9.0.1/24")},
		End{b, "eth0", netip.MustParsePrefix("10.9.0.2/24")})
	if err != nil {
		t.Fatal(err)
	}
	return a, b
}

func try(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually tries until what is true, for things that the kernel does in its
// own time and tells nobody.
func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !check(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	l := newLab(t, "lab-close")
	a, _ := newPair(t, l)
	if _, err := l.BPFFS(); err != nil {
		t.Fatal(err)
	}
	p := startSleep(t, a)
	var spaces []string
	for _, n := range l.nodes {
		spaces = append(spaces, namespaceOf(t, n))
	}
	if len(mountsOf(t, l.id)) != 3 {
		t.Errorf("mounts before: %q, want two namespaces and a BPF filesystem", mountsOf(t, l.id))
	}

	try(t, l.Close())

	if got := mountsOf(t, l.id); len(got) != 0 {
		t.Errorf("mounts are left: %q", got)
	}
	if got, _ := filepath.Glob(l.id.netns("*")); len(got) != 0 {
		t.Errorf("namespaces are left: %q", got)
	}
	if _, err := os.Stat(l.Dir()); !os.IsNotExist(err) {
		t.Errorf("the directory is left: %v", err)
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", p.Pid())); !os.IsNotExist(err) {
		t.Errorf("process %d is left: %v", p.Pid(), err)
	}
	eventually(t, "no thread is in a namespace of the lab", func() bool {
		return !anyoneIn(t, spaces)
	})
}

func TestCloseTwice(t *testing.T) {
	l := newLab(t, "lab-twice")
	newNode(t, l, "a")
	try(t, l.Close())
	try(t, l.Close())
}

func TestNames(t *testing.T) {
	require.Need(t, require.Root, require.NetNS)
	for _, name := range []string{"", "../etc", "a/b", "-a", "A", "a b"} {
		if l, err := New(name, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("lab name %q is accepted", name)
			try(t, l.Close())
		}
	}
	l := newLab(t, "lab-names")
	if _, err := l.Node("../x"); err == nil {
		t.Error("node name ../x is accepted")
	}
	newNode(t, l, "a")
	if _, err := l.Node("a"); err == nil {
		t.Error("a node's name is accepted twice")
	}
	if again, err := New("lab-names", slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a lab's name is accepted twice")
		try(t, again.Close())
	}
}

func TestBPFFS(t *testing.T) {
	require.Need(t, require.Root, require.BPF)
	l := newLab(t, "lab-bpffs")
	dir, err := l.BPFFS()
	try(t, err)
	again, err := l.BPFFS()
	try(t, err)
	if dir != again {
		t.Errorf("two filesystems: %s and %s", dir, again)
	}
	if mounts := mountsOf(t, l.id); len(mounts) != 1 || !strings.Contains(mounts[0], " - bpf ") {
		t.Errorf("mounts: %q, want one of type bpf", mounts)
	}
}

// mountsOf is the lines of mountinfo that name the lab.
func mountsOf(t *testing.T, id identity) []string {
	t.Helper()
	f, err := os.Open("/proc/self/mountinfo")
	try(t, err)
	defer f.Close()
	var lines []string
	for scan := bufio.NewScanner(f); scan.Scan(); {
		if strings.Contains(scan.Text(), id.String()) {
			lines = append(lines, scan.Text())
		}
	}
	return lines
}

// namespaceOf is what /proc shows of a thread in the node, as in net:[4026531840].
func namespaceOf(t *testing.T, n *Node) string {
	t.Helper()
	var space string
	try(t, n.Do(func() (err error) {
		space, err = os.Readlink("/proc/thread-self/ns/net")
		return err
	}))
	return space
}

func anyoneIn(t *testing.T, spaces []string) bool {
	t.Helper()
	threads, err := filepath.Glob("/proc/[0-9]*/task/*/ns/net")
	try(t, err)
	for _, thread := range threads {
		space, _ := os.Readlink(thread) // a thread may end meanwhile
		for _, s := range spaces {
			if s == space {
				return true
			}
		}
	}
	return false
}

func linkOf(t *testing.T, n *Node, ifname string) *netlink.LinkAttrs {
	t.Helper()
	link, err := n.link(ifname)
	try(t, err)
	return link.Attrs()
}
