// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/weir-lb/weir/maps"
)

// SelectionConfig is where the key of consistent spreading comes from.
type SelectionConfig struct {
	KeyFile string        // 32 to 512 hexadecimal digits; "": random, kept with the pinned maps
	Rotate  time.Duration // how long a key is in use, 1m-8760h; 0: for ever
}

const (
	leastSecret = 16
	mostSecret  = 256
)

// load reads the key file, if there is one. Its errors never show a key.
func (c SelectionConfig) load() (maps.SelectionKey, error) {
	key := maps.SelectionKey{Rotate: c.Rotate}
	if c.KeyFile == "" {
		return key, nil
	}
	text, err := readPrivate(c.KeyFile)
	if err != nil {
		return key, err
	}
	key.Secret, err = hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(key.Secret) < leastSecret || len(key.Secret) > mostSecret {
		return key, fmt.Errorf("selection key file %s is not one line of %d to %d hexadecimal digits, such as `openssl rand -hex 32` prints",
			c.KeyFile, 2*leastSecret, 2*mostSecret)
	}
	return key, nil
}

// readPrivate reads a small regular file that only its owner may use.
func readPrivate(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("selection key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("selection key file: %w", err)
	}
	switch mode := info.Mode(); {
	case !mode.IsRegular():
		return "", fmt.Errorf("selection key file %s is not a regular file", path)
	case mode.Perm()&0o077 != 0:
		return "", fmt.Errorf("selection key file %s has mode %04o, so that others than its owner may use it; run: chmod 0600 %s", path, mode.Perm(), path)
	}
	text, err := io.ReadAll(io.LimitReader(f, 4*mostSecret))
	if err != nil {
		return "", fmt.Errorf("selection key file: %w", err)
	}
	return string(text), nil
}

// locate makes a relative file name relative to the folder of the configuration file.
func (c *SelectionConfig) locate(file string) {
	if c.KeyFile != "" && !filepath.IsAbs(c.KeyFile) {
		c.KeyFile = filepath.Join(filepath.Dir(file), c.KeyFile)
	}
}

// rotate writes the key that is due. When that fails, it is tried again in a while.
func (r *reconciler) rotate(now time.Time) {
	next, rotated, err := maps.RotateSelection(r.kernel, r.selection, now)
	if err != nil {
		r.log.Error("rotate the selection's key", "error", err)
		next = now.Add(sweepPause)
	}
	if rotated {
		r.log.Info("another selection key is in use: flows keep their elements, new ones choose anew", "next", next)
	}
	r.keyDue = next
}

func (r *reconciler) selectionStatus() SelectionStatus {
	s := SelectionStatus{Shared: r.selection.Secret != nil}
	if due := r.keyDue; !due.IsZero() {
		s.NextKey = &due
	}
	return s
}

// String is empty where a random key stays for ever.
func (s SelectionStatus) String() string {
	var said []string
	if s.Shared {
		said = append(said, "by the key of a file")
	}
	if s.NextKey != nil {
		said = append(said, "next key "+s.NextKey.UTC().Format(time.RFC3339))
	}
	return strings.Join(said, ", ")
}
