// SPDX-License-Identifier: Apache-2.0

package loader

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

// The pin directory holds links/, one file an interface, and the maps in use as v1, v2, …: a
// number more whenever new ones were needed. Those are made as next/, and get their number when
// everything else has succeeded, so that the newest number is what the links run on.
const (
	linkDir = "links"
	nextDir = "next"
)

func versionDir(dir string, version int) string {
	return filepath.Join(dir, "v"+strconv.Itoa(version))
}

// checkDir makes sure that dir is on a bpf file system; dir itself is made when it is missing.
func checkDir(dir string) error {
	at := dir
	for {
		_, err := os.Stat(at)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			return err
		}
		at = filepath.Dir(at)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(at, &st); err != nil {
		return fmt.Errorf("look at %s: %w", at, err)
	}
	if st.Type != unix.BPF_FS_MAGIC {
		return fmt.Errorf("%s is not on a bpf file system: run `mount -t bpf bpf /sys/fs/bpf`, or set bpf: to a folder on one", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	return nil
}

func versions(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	var found []int
	for _, e := range entries {
		number, isVersion := strings.CutPrefix(e.Name(), "v")
		if n, err := strconv.Atoi(number); isVersion && err == nil && n > 0 {
			found = append(found, n)
		}
	}
	return found, nil
}

// newestVersion is 0 when there is none.
func newestVersion(dir string) (int, error) {
	all, err := versions(dir)
	newest := 0
	for _, v := range all {
		newest = max(newest, v)
	}
	return newest, err
}

// removeOthers removes all maps in dir but those in keep.
func removeOthers(dir, keep string) error {
	all, err := versions(dir)
	errs := []error{err, os.RemoveAll(filepath.Join(dir, nextDir))}
	for _, v := range all {
		if other := versionDir(dir, v); other != keep {
			errs = append(errs, os.RemoveAll(other))
		}
	}
	return errors.Join(errs...)
}

// settle gives new maps their number: from here on they are the ones in use.
func (d *Datapath) settle() error {
	if filepath.Base(d.dir) == nextDir {
		newest, err := newestVersion(d.cfg.Dir)
		if err != nil {
			return err
		}
		settled := versionDir(d.cfg.Dir, newest+1)
		if err := os.Rename(d.dir, settled); err != nil {
			return fmt.Errorf("settle the new maps: %w", err)
		}
		d.dir = settled
	}
	d.fresh = false
	return nil
}

// pinsIn are the names of a version's maps; none if there is no such version.
func pinsIn(dir string) map[string]bool {
	entries, _ := os.ReadDir(dir)
	names := map[string]bool{}
	for _, e := range entries {
		names[e.Name()] = true
	}
	return names
}

// removeOtherPins leaves a version the maps that it had. What stays because it cannot be removed goes with the version.
func removeOtherPins(dir string, had map[string]bool) {
	for name := range pinsIn(dir) {
		if !had[name] {
			_ = os.Remove(filepath.Join(dir, name))
		}
	}
}
