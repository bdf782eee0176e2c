// SPDX-License-Identifier: Apache-2.0

package require

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Feature is something that a test needs of its machine; its text is the name
// that REQUIRE lists.
type Feature string

// What tests of this repository may need.
const (
	Root    Feature = "root"    // effective user 0
	BPF     Feature = "bpf"     // the bpf(2) system call, allowed to create maps
	NetNS   Feature = "netns"   // unshare(CLONE_NEWNET)
	SCTP    Feature = "sctp"    // the kernel's SCTP
	OpenSSL Feature = "openssl" // the openssl command, an independent TLS peer
	RSPLib  Feature = "rsplib"  // rsplib's programs, the other implementation of RSerPool
)

// Need returns when the machine has every feature. Otherwise it ends the test:
// skipped with what is missing, or failed if REQUIRE lists the missing feature.
func Need(t testing.TB, features ...Feature) {
	t.Helper()
	need(t, os.Getenv("REQUIRE"), check, features)
}

func need(t testing.TB, required string, check func(Feature) error, features []Feature) {
	t.Helper()
	for _, f := range features {
		err := check(f)
		switch {
		case err == nil:
		case listed(required, f):
			t.Fatalf("REQUIRE lists %s, but this machine does not have it: %v", f, err)
		default:
			t.Skipf("needs %s: %v", f, err)
		}
	}
}

func listed(required string, f Feature) bool {
	for name := range strings.SplitSeq(required, ",") {
		if Feature(strings.TrimSpace(name)) == f {
			return true
		}
	}
	return false
}

func check(f Feature) error {
	switch f {
	case Root:
		return checkRoot()
	case BPF:
		return checkBPF()
	case NetNS:
		return checkNetNS()
	case SCTP:
		return checkSCTP()
	case OpenSSL:
		return checkPrograms("openssl")
	case RSPLib:
		return checkPrograms("rspregistrar", "rspserver", "rspterminal")
	default:
		return fmt.Errorf("unknown feature %q", f)
	}
}

func checkPrograms(names ...string) error {
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			return err
		}
	}
	return nil
}

func checkRoot() error {
	if os.Geteuid() != 0 {
		return errors.New("the effective user is not root")
	}
	return nil
}

func checkBPF() error {
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	if err != nil {
		return fmt.Errorf("create a BPF map: %w", err)
	}
	return m.Close()
}

func checkSCTP() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_SCTP)
	if err != nil {
		return fmt.Errorf("open an SCTP socket: %w", err)
	}
	return unix.Close(fd)
}

// checkNetNS unshares in a thread of its own, and comes back: the runtime cannot
// end a process's first thread, and that one's namespace is what /proc/self shows.
func checkNetNS() error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := unshareAndReturn()
		if err == nil {
			runtime.UnlockOSThread()
		}
		result <- err
	}()
	if err := <-result; err != nil {
		return fmt.Errorf("unshare a network namespace: %w", err)
	}
	return nil
}

func unshareAndReturn() error {
	home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(home)
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	return unix.Setns(home, unix.CLONE_NEWNET)
}
