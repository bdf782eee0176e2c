// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// stragglerPatience is how long a killed process may take to go, in milliseconds.
const stragglerPatience = 5000

// Sweep removes what labs whose names start with prefix left, if their creator
// is dead: processes in their namespaces, namespaces, mounts and directories. A
// lab of a living process is left alone. Sweep goes on after an error.
func Sweep(prefix string) error {
	dirs, err := filepath.Glob(filepath.Join(runDir, dirPrefix+prefix+"*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, dir := range dirs {
		id, ok := parseIdentity(filepath.Base(dir))
		if !ok {
			continue
		}
		abandoned, err := id.abandoned()
		if abandoned {
			err = id.remove()
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("sweep lab %s: %w", id, err))
		}
	}
	return errors.Join(errs...)
}

// remove takes away what the file system shows of a lab, and whoever is still
// running in its namespaces.
func (id identity) remove() error {
	names, err := filepath.Glob(id.netns("*"))
	errs := []error{err}
	for _, name := range names {
		errs = append(errs, killInside(name), unmount(name), os.Remove(name))
	}
	errs = append(errs, unmount(id.bpffs()), os.RemoveAll(id.dir()))
	return errors.Join(errs...)
}

// unmount is content if nothing is mounted at path.
func unmount(path string) error {
	err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	if err == nil || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return fmt.Errorf("unmount %s: %w", path, err)
}

// killInside kills the processes whose network namespace is the one mounted at
// path: those that left their process group, or whose creator was killed.
func killInside(path string) error {
	inside, err := os.Stat(path)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	var errs []error
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		errs = append(errs, killIfInside(pid, inside))
	}
	return errors.Join(errs...)
}

// killIfInside holds the process by a pidfd while it looks, so that a pid that
// changes hands meanwhile harms nobody.
func killIfInside(pid int, inside fs.FileInfo) error {
	if !isInside(pid, inside) {
		return nil
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("hold process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	if !isInside(pid, inside) {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill process %d: %w", pid, err)
	}
	return awaitExit(fd, pid)
}

func isInside(pid int, inside fs.FileInfo) bool {
	info, err := os.Stat(fmt.Sprintf("/proc/%d/ns/net", pid))
	return err == nil && os.SameFile(info, inside)
}

// awaitExit waits until a pidfd says that its process ended.
func awaitExit(fd, pid int) error {
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(poll, stragglerPatience)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case n == 0:
			return fmt.Errorf("process %d does not end", pid)
		default:
			return nil
		}
	}
}
