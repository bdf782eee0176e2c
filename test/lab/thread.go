// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// thread is an operating system thread that lives in a network namespace of its
// own, and starts the processes there: a child gets the namespace of the thread
// that forks it, and is killed when that thread ends (PR_SET_PDEATHSIG is tied
// to the thread). So it must outlive them.
type thread struct {
	work chan func()
	done chan struct{}
}

// newThread unshares a network namespace and mounts it at path.
func newThread(path string) (*thread, error) {
	t := &thread{work: make(chan func()), done: make(chan struct{})}
	started := make(chan error)
	go t.start(path, started)
	if err := <-started; err != nil {
		<-t.done
		return nil, err
	}
	return t, nil
}

// start finds a thread that is not the process's first, because the first
// thread's namespace is what /proc/self shows of the process.
func (t *thread) start(path string, started chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		t.serve(path, started)
		return
	}
	// This goroutine holds the first thread until the other has one of its own.
	locked := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		close(locked)
		t.serve(path, started)
	}()
	<-locked
	runtime.UnlockOSThread()
}

// serve returns with the thread still locked: the runtime then ends it.
func (t *thread) serve(path string, started chan<- error) {
	defer close(t.done)
	err := mountNewNetNS(path)
	started <- err
	if err != nil {
		return
	}
	for f := range t.work {
		f()
	}
}

func mountNewNetNS(path string) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("unshare a network namespace: %w", err)
	}
	if err := unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount a network namespace on %s: %w", path, err)
	}
	return nil
}

// do runs f on the thread and waits for it.
func (t *thread) do(f func() error) error {
	result := make(chan error)
	t.work <- func() { result <- f() }
	return <-result
}

// stop ends the thread, and with it any process that it started.
func (t *thread) stop() {
	close(t.work)
	<-t.done
}
