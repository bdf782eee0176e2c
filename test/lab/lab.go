// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Lab is one network with its processes. Its methods, and its nodes' methods,
// may be called from several goroutines, but none beside or after Close.
type Lab struct {
	id  identity
	log *slog.Logger

	mu        sync.Mutex
	nodes     []*Node
	links     []ownedLink
	ends      int // link ends made so far: the last bytes of their MAC addresses
	processes []*Process
	closed    bool
}

// ownedLink is one end of a veth pair; deleting it deletes both.
type ownedLink struct {
	node *Node
	link netlink.Link
}

// New makes an empty lab, after sweeping what crashed creators of labs of that
// name left. The name is of lower case letters, digits and hyphens. It is an
// error if this process already has a lab of that name.
func New(name string, log *slog.Logger) (*Lab, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := Sweep(name); err != nil {
		log.Warn("an earlier lab's leftovers stay", "lab", name, "err", err)
	}
	id, err := claim(name)
	if err != nil {
		return nil, err
	}
	l := &Lab{id: id, log: log.With("lab", id.String())}
	if err := os.Mkdir(l.LogDir(), 0o755); err != nil {
		return nil, errors.Join(err, id.remove())
	}
	return l, nil
}

func checkName(name string) error {
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`).MatchString(name) {
		return fmt.Errorf("name %q: want lower case letters, digits and hyphens", name)
	}
	return nil
}

// Dir is the lab's own directory. Close removes it with all that is in it.
func (l *Lab) Dir() string { return l.id.dir() }

// LogDir holds one file for each process: NODE-PROGRAM-PID.log.
func (l *Lab) LogDir() string { return filepath.Join(l.Dir(), "log") }

// BPFFS mounts a BPF filesystem in the lab's directory, once, and returns its path.
func (l *Lab) BPFFS() (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	dir := l.id.bpffs()
	if err := os.Mkdir(dir, 0o700); errors.Is(err, os.ErrExist) {
		return dir, nil
	} else if err != nil {
		return "", err
	}
	if err := unix.Mount("bpf", dir, "bpf", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0700"); err != nil {
		return "", errors.Join(fmt.Errorf("mount a BPF filesystem on %s: %w", dir, err), os.Remove(dir))
	}
	return dir, nil
}

// Close kills every process of the lab and removes its links, namespaces,
// mounts and directory. It goes on after an error, and does nothing the second time.
func (l *Lab) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	var errs []error
	for _, p := range l.processes {
		p.end()
	}
	// A namespace outlives its name for a while in the kernel; its links must not.
	for _, o := range l.links {
		errs = append(errs, o.node.handle.LinkDel(o.link))
	}
	for _, n := range l.nodes {
		n.release()
	}
	return errors.Join(append(errs, l.id.remove())...)
}

func (l *Lab) addProcess(p *Process) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.processes = append(l.processes, p)
}
