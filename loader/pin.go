// SPDX-License-Identifier: Apache-2.0

package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The pin directory holds links/, one file an interface, and one directory of maps a version:
// v1, v2, …, of which the newest is in use and the others are removed once it is.

func versionDir(dir string, version int) string {
	return filepath.Join(dir, "v"+strconv.Itoa(version))
}

// checkDir makes sure that dir is on a bpf file system; dir itself is made when it is missing.
func checkDir(dir string) error {
	at := dir
	for !exists(at) && at != filepath.Dir(at) {
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

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func versions(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	var found []int
	for _, e := range entries {
		if n, err := strconv.Atoi(strings.TrimPrefix(e.Name(), "v")); err == nil && n > 0 {
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

func removeOtherVersions(dir string, keep int) error {
	all, err := versions(dir)
	errs := []error{err}
	for _, v := range all {
		if v != keep {
			errs = append(errs, os.RemoveAll(versionDir(dir, v)))
		}
	}
	return errors.Join(errs...)
}

// removeIfUnused takes away the maps of a failed start, unless links of an earlier run use them.
func removeIfUnused(dir string, version int) error {
	linkDir := filepath.Join(dir, "links")
	entries, err := os.ReadDir(linkDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("list the pinned links: %w", err)
	}
	if len(entries) > 0 && version == inUse(dir) {
		return nil
	}
	if len(entries) == 0 {
		_ = os.Remove(linkDir) // it may not be there, and empty it does no harm
	}
	return os.RemoveAll(versionDir(dir, version))
}

// inUse is the version that the pinned links run on: the oldest, since a newer one that
// is switched to removes it.
func inUse(dir string) int {
	all, err := versions(dir)
	if err != nil || len(all) == 0 {
		return 0
	}
	return slices.Min(all)
}
