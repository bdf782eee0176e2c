// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Node is one network namespace: a host of the lab's network.
type Node struct {
	lab    *Lab
	name   string
	path   string
	thread *thread
	ns     netns.NsHandle
	handle *netlink.Handle
}

// Node makes a host whose only interface is its loopback, up. To look around in
// it: nsenter --net=PATH, with the path that (*Node).Path gives.
func (l *Lab) Node(name string) (*Node, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	n := &Node{lab: l, name: name, path: l.id.netns(name)}
	if err := n.open(); err != nil {
		return nil, fmt.Errorf("make node %s: %w", name, err)
	}
	l.mu.Lock()
	l.nodes = append(l.nodes, n)
	l.mu.Unlock()
	return n, n.SetLink("lo", true)
}

func (n *Node) open() error {
	if err := makeMountPoint(n.path); err != nil {
		return err
	}
	var err error
	if n.thread, err = newThread(n.path); err != nil {
		return errors.Join(err, os.Remove(n.path))
	}
	if n.ns, err = netns.GetFromPath(n.path); err != nil {
		return errors.Join(err, n.abandon())
	}
	if n.handle, err = netlink.NewHandleAt(n.ns, unix.NETLINK_ROUTE); err != nil {
		return errors.Join(err, n.ns.Close(), n.abandon())
	}
	return nil
}

func makeMountPoint(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDONLY, 0o444)
	if err != nil {
		return err
	}
	return f.Close()
}

func (n *Node) abandon() error {
	n.thread.stop()
	return errors.Join(unmount(n.path), os.Remove(n.path))
}

// release gives up this process's own hold on the namespace.
func (n *Node) release() {
	n.handle.Close()
	n.ns.Close()
	n.thread.stop()
}

// Name is the name that the node was made with.
func (n *Node) Name() string { return n.name }

// Path is where the namespace is mounted.
func (n *Node) Path() string { return n.path }

// Do runs f on this goroutine, with its thread inside the node's namespace.
// Sockets that f opens stay in the namespace for good; goroutines that f starts
// are not inside it. A process that f starts is not the lab's: see Start.
func (n *Node) Do(f func() error) (err error) {
	runtime.LockOSThread()
	home, err := netns.GetFromPath("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("find this thread's network namespace: %w", err)
	}
	defer home.Close()
	if err := unix.Setns(int(n.ns), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter node %s: %w", n.name, err)
	}
	defer func() {
		if back := unix.Setns(int(home), unix.CLONE_NEWNET); back != nil {
			// The thread stays locked, and so ends with this goroutine.
			err = errors.Join(err, fmt.Errorf("leave node %s: %w", n.name, back))
			return
		}
		runtime.UnlockOSThread()
	}()
	return f()
}

// Sysctl sets a key of the namespace, as in "net.ipv4.ip_forward".
func (n *Node) Sysctl(key, value string) error {
	path := filepath.Join("/proc/sys", strings.ReplaceAll(key, ".", "/"))
	err := n.Do(func() error { return os.WriteFile(path, []byte(value), 0) })
	if err != nil {
		return fmt.Errorf("set %s on %s: %w", key, n.name, err)
	}
	return nil
}
