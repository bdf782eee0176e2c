// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	runDir    = "/run"
	netnsDir  = "/run/netns" // where ip netns looks
	dirPrefix = "weir-"
	ownerFile = "owner"
)

// identity names everything that a lab leaves in the file system. The directory
// exists before and after everything else of the lab, so to find the
// directories is to find the labs.
type identity struct {
	name string
	pid  int // the creator's
}

func (id identity) String() string { return fmt.Sprintf("%s-%d", id.name, id.pid) }

func (id identity) dir() string { return filepath.Join(runDir, dirPrefix+id.String()) }

func (id identity) bpffs() string { return filepath.Join(id.dir(), "bpf") }

func (id identity) netns(node string) string {
	return filepath.Join(netnsDir, id.String()+"-"+node)
}

// claim makes the lab's directory. It holds the creator's start time, which
// tells the creator from a later process with the same pid.
func claim(name string) (identity, error) {
	id := identity{name: name, pid: os.Getpid()}
	start, err := startTime(id.pid)
	if err != nil {
		return id, err
	}
	if err := os.Mkdir(id.dir(), 0o755); err != nil {
		return id, fmt.Errorf("make the lab's directory: %w", err)
	}
	if err := os.WriteFile(filepath.Join(id.dir(), ownerFile), []byte(start), 0o644); err != nil {
		return id, errors.Join(err, os.RemoveAll(id.dir()))
	}
	return id, nil
}

// abandoned says that the lab's creator is gone.
func (id identity) abandoned() (bool, error) {
	start, err := startTime(id.pid)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	owner, err := os.ReadFile(filepath.Join(id.dir(), ownerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // its creator is between mkdir and write
	}
	return string(owner) != start, err
}

// startTime is the 22nd field of /proc/PID/stat: clock ticks after boot. The
// second field, the command, may hold blanks and parentheses itself.
func startTime(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, unix.ESRCH) {
		return "", fs.ErrNotExist
	}
	if err != nil {
		return "", err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	const afterCommand = 22 - 3
	if len(fields) <= afterCommand {
		return "", fmt.Errorf("/proc/%d/stat: too short", pid)
	}
	return fields[afterCommand], nil
}

// parseIdentity is the inverse of dir for a directory's last element.
func parseIdentity(base string) (identity, bool) {
	rest, ok := strings.CutPrefix(base, dirPrefix)
	cut := strings.LastIndexByte(rest, '-')
	if !ok || cut < 0 || checkName(rest[:cut]) != nil {
		return identity{}, false
	}
	pid, err := strconv.Atoi(rest[cut+1:])
	if err != nil || pid <= 0 {
		return identity{}, false
	}
	return identity{name: rest[:cut], pid: pid}, true
}
