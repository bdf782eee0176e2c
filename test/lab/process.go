// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// outputPatience bounds the wait for output that a dead process's heirs hold open.
const outputPatience = time.Second

// Process is a running or ended process of a node, with the process group that
// it leads. When it ends, by itself or by Kill, what is left of its group is
// killed with it.
type Process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{}
	err  error // of Wait; written before done is closed

	mu     sync.Mutex
	reaped bool // its pid may belong to another process
}

// Start starts a command inside the node, with the mounts of the caller (so
// that it sees the same BPF filesystem). The command is one that
// exec.Command or exec.CommandContext made and that was not started; Start owns
// it from then on. Output that the caller directs nowhere goes to a file in the
// lab's LogDir. The process leads a process group of its own, and is killed
// with its group at the end of the command's context or of the lab, and by the
// kernel at the end of this process.
func (n *Node) Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, done: make(chan struct{})}
	if cmd.Cancel != nil { // made by exec.CommandContext
		cmd.Cancel = p.Kill
	}
	if cmd.WaitDelay == 0 {
		cmd.WaitDelay = outputPatience
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := n.startLogged(p); err != nil {
		return nil, fmt.Errorf("start %s on %s: %w", filepath.Base(cmd.Path), n.name, err)
	}
	n.lab.addProcess(p)
	go p.reap()
	return p, nil
}

// startLogged names the log after the pid, which is known only afterwards.
func (n *Node) startLogged(p *Process) error {
	log, err := os.CreateTemp(n.lab.LogDir(), "starting-*.log")
	if err != nil {
		return err
	}
	defer log.Close()
	if p.cmd.Stdout == nil {
		p.cmd.Stdout = log
	}
	if p.cmd.Stderr == nil {
		p.cmd.Stderr = log
	}
	if err := n.thread.do(p.cmd.Start); err != nil {
		return errors.Join(err, os.Remove(log.Name()))
	}
	name := fmt.Sprintf("%s-%s-%d.log", n.name, filepath.Base(p.cmd.Path), p.Pid())
	p.log = filepath.Join(n.lab.LogDir(), name)
	if err := os.Rename(log.Name(), p.log); err != nil {
		p.log = log.Name()
	}
	return nil
}

// reap waits for the process to end, and while its zombie still holds the pid,
// and so the number of its group, kills the rest of the group.
func (p *Process) reap() {
	defer close(p.done)
	awaitZombie(p.Pid())
	p.mu.Lock()
	// ESRCH or not: nothing of the group is left but zombies.
	_ = unix.Kill(-p.Pid(), unix.SIGKILL)
	p.reaped = true
	p.mu.Unlock()
	p.err = p.cmd.Wait()
}

// awaitZombie returns when the process has ended, and does not reap it. Any
// error but an interruption means that there is no such child any more.
func awaitZombie(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// Pid is the process's id, and its group's.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// LogFile holds what the process wrote to those of its standard output and
// standard error that the caller of Start directed nowhere.
func (p *Process) LogFile() string { return p.log }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits for the process to end; its error is that of (*exec.Cmd).Wait. It
// may be called more than once, and from several goroutines.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}

// Kill sends SIGKILL to the whole group, and does not wait. Killing an ended
// process gives os.ErrProcessDone.
func (p *Process) Kill() error { return p.signal(-p.Pid(), unix.SIGKILL) }

// Signal sends a signal to the process alone.
func (p *Process) Signal(sig syscall.Signal) error { return p.signal(p.Pid(), sig) }

func (p *Process) signal(to int, sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return os.ErrProcessDone
	}
	return unix.Kill(to, sig)
}

// end kills the group and waits for the process.
func (p *Process) end() {
	_ = p.Kill() // ended already: as it should be
	<-p.done
}
