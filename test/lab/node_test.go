// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"errors"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
)

func TestDo(t *testing.T) {
	l := newLab(t, "lab-do")
	n := newNode(t, l, "a")
	inside := []string{namespaceOf(t, n)}
	failure := errors.New("no")
	ends := map[string]func() error{
		"returns":   func() error { return nil },
		"fails":     func() error { return failure },
		"panics":    func() error { panic("no") },
		"Goexits":   func() error { runtime.Goexit(); return nil },
		"does both": func() error { return n.Do(func() error { return failure }) },
	}
	wants := map[string]error{"fails": failure, "does both": failure}
	for name, f := range ends {
		t.Run(name, func(t *testing.T) {
			done := make(chan error, 1)
			go func() {
				runtime.LockOSThread() // so that a thread left inside would be this one
				defer runtime.UnlockOSThread()
				defer close(done)
				defer func() { _ = recover() }()
				done <- n.Do(f)
			}()
			if err := <-done; !errors.Is(err, wants[name]) {
				t.Errorf("got %v, want %v", err, wants[name])
			}
			if onlyTheNodesOwn := countHere(t, inside[0]); onlyTheNodesOwn != 1 {
				t.Errorf("%d threads of this process are inside, want the node's one", onlyTheNodesOwn)
			}
		})
	}
}

// countHere counts this process's threads in a namespace.
func countHere(t *testing.T, space string) int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	try(t, err)
	count := 0
	for _, task := range tasks {
		if s, _ := os.Readlink("/proc/self/task/" + task.Name() + "/ns/net"); s == space {
			count++
		}
	}
	return count
}

func TestSysctl(t *testing.T) {
	l := newLab(t, "lab-sysctl")
	n := newNode(t, l, "a")
	outside, err := os.ReadFile("/proc/sys/net/ipv4/ip_default_ttl")
	try(t, err)

	try(t, n.Sysctl("net.ipv4.ip_default_ttl", "77"))

	try(t, n.Do(func() error {
		inside, err := os.ReadFile("/proc/sys/net/ipv4/ip_default_ttl")
		if got := strings.TrimSpace(string(inside)); got != "77" {
			t.Errorf("inside: %q, want 77", got)
		}
		return err
	}))
	still, err := os.ReadFile("/proc/sys/net/ipv4/ip_default_ttl")
	try(t, err)
	if string(still) != string(outside) {
		t.Errorf("outside: was %q and is %q", outside, still)
	}
	if err := n.Sysctl("net.ipv4.no_such_key", "1"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an unknown key: %v, want that it does not exist", err)
	}
}

func TestErrorsNameTheirPlace(t *testing.T) {
	l := newLab(t, "lab-errors")
	n := newNode(t, l, "a")
	for _, err := range []error{
		n.SetLink("eth7", true),
		n.AddAddr("eth7", netip.MustParsePrefix("10.0.0.1/24")),
		n.AttachPass("eth7"),
	} {
		if err == nil || !strings.Contains(err.Error(), "eth7 on a") {
			t.Errorf("got %v, want an error about eth7 on a", err)
		}
	}
	if err := n.Route(netip.MustParsePrefix("10.1.0.0/16"), netip.MustParseAddr("10.9.9.9")); err == nil {
		t.Error("a route via an unknown neighbour is accepted")
	}
}
