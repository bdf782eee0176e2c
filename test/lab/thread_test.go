// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/test/require"
)

// The runtime cannot end a process's first thread, and /proc/PID shows that
// thread's namespace as the process's: a node must not take it. Only a process
// that has just begun is sure to be on it.
func TestNodeLeavesTheFirstThreadAlone(t *testing.T) {
	require.Need(t, require.Root, require.NetNS)
	if err := inRole(roleFirstThread).Run(); err != nil {
		t.Error(err)
	}
}

// runFirstThread starts a node's thread from the first thread.
func runFirstThread() error {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		return errors.New("this is not the first thread")
	}
	before, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return err
	}
	path, err := temporaryMountPoint()
	if err != nil {
		return err
	}
	result := make(chan error, 1)
	t := &thread{work: make(chan func()), done: make(chan struct{})}
	started := make(chan error)
	go func() {
		result <- errors.Join(<-started, unchanged(before), unmount(path), os.Remove(path))
		t.stop()
	}()
	t.start(path, started)
	return <-result
}

func temporaryMountPoint() (string, error) {
	f, err := os.CreateTemp("", "weir-lab-*")
	if err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}

func unchanged(before string) error {
	after, err := os.Readlink("/proc/self/ns/net")
	if err == nil && after != before {
		err = fmt.Errorf("/proc/self/ns/net was %s and is %s", before, after)
	}
	return err
}
