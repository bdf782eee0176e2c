// SPDX-License-Identifier: Apache-2.0

package psk

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"
	"unicode"
	"unicode/utf8"
)

const (
	minKeyLen      = 16      // bytes: 128 bits
	maxKeyLen      = 256     // bytes
	maxIdentityLen = 128     // bytes
	maxKeyFile     = 8 << 20 // bytes: some 20,000 of the longest lines
)

// entry is one line of a key file. Its key lies in the file's text: every other
// place would be a copy that somebody has to overwrite, and the compiler makes
// copies of its own when it moves a slice from the stack to the heap.
type entry struct {
	line     int
	identity string
	key      []byte
}

// readKeyFile reads a file that only its owner can read; the caller overwrites
// what it returns. The mode is that of the file which was opened, whatever the
// path names by then.
func readKeyFile(path string) ([]byte, error) {
	// O_NONBLOCK: opening a named pipe must not wait for its writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if err := checkKeyFile(path, info); err != nil {
		return nil, err
	}
	text := make([]byte, info.Size())
	if _, err := io.ReadFull(f, text); err != nil {
		clear(text)
		return nil, fmt.Errorf("read key file %s: %w", path, err)
	}
	return text, nil
}

func checkKeyFile(path string, info os.FileInfo) error {
	switch mode := info.Mode(); {
	case !mode.IsRegular():
		return fmt.Errorf("key file %s is not a regular file; name a file with identity:hexkey lines", path)
	case mode.Perm()&0o077 != 0:
		return fmt.Errorf("key file %s has mode %04o, so that others than its owner may use it; run: chmod 0600 %s",
			path, mode.Perm(), path)
	case info.Size() > maxKeyFile:
		return fmt.Errorf("key file %s has %d bytes; the limit is %d", path, info.Size(), maxKeyFile)
	}
	return nil
}

// parseKeys returns the `identity:hexkey` lines, sorted by identity. It decodes
// the keys in place. Its errors name lines, and never quote one: a line with a
// mistake may be a key in the wrong place.
func parseKeys(text []byte) ([]entry, error) {
	var entries []entry
	number := 0
	for line := range bytes.Lines(text) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		e, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		e.line = number
		entries = append(entries, e)
	}
	return entries, checkEntries(entries)
}

// parseLine takes what stands before the last colon as the identity: a key has none.
func parseLine(line []byte) (entry, error) {
	colon := bytes.LastIndexByte(line, ':')
	if colon < 0 {
		return entry{}, errors.New("there is no colon; write identity:hexkey")
	}
	if err := checkIdentity(line[:colon]); err != nil {
		return entry{}, err
	}
	key, err := decodeKey(line[colon+1:])
	return entry{identity: string(line[:colon]), key: key}, err
}

// checkEntries sorts and compares in place: a map of keys, or of their digests,
// would leave copies of them in memory.
func checkEntries(entries []entry) error {
	if len(entries) == 0 {
		return errors.New("there is no key in it; write one identity:hexkey a line")
	}
	byKey := func(a, b entry) int { return cmp.Or(bytes.Compare(a.key, b.key), a.line-b.line) }
	if first, again, ok := twice(entries, byKey, func(a, b entry) bool { return bytes.Equal(a.key, b.key) }); ok {
		return fmt.Errorf("line %d: its key is also that of line %d; each identity needs a key of its own", again, first)
	}
	byIdentity := func(a, b entry) int { return cmp.Or(cmp.Compare(a.identity, b.identity), a.line-b.line) }
	if first, again, ok := twice(entries, byIdentity, func(a, b entry) bool { return a.identity == b.identity }); ok {
		return fmt.Errorf("line %d: its identity already has a key on line %d", again, first)
	}
	return nil
}

// twice returns the lines of two entries that are equal.
func twice(entries []entry, order func(a, b entry) int, equal func(a, b entry) bool) (first, again int, ok bool) {
	slices.SortFunc(entries, order)
	for i := 1; i < len(entries); i++ {
		if equal(entries[i-1], entries[i]) {
			return entries[i-1].line, entries[i].line, true
		}
	}
	return 0, 0, false
}

func checkIdentity(identity []byte) error {
	switch {
	case len(identity) == 0:
		return errors.New("the identity is empty")
	case len(identity) > maxIdentityLen:
		return fmt.Errorf("the identity has %d bytes; the limit is %d", len(identity), maxIdentityLen)
	case !utf8.Valid(identity):
		return errors.New("the identity is not UTF-8")
	case bytes.IndexFunc(identity, unicode.IsControl) >= 0:
		return errors.New("the identity has a control character")
	case len(bytes.TrimSpace(identity)) != len(identity):
		return errors.New("the identity begins or ends with a space")
	}
	return nil
}

func decodeKey(digits []byte) ([]byte, error) {
	if n := hex.DecodedLen(len(digits)); n > maxKeyLen {
		return nil, fmt.Errorf("the key has %d bytes; the limit is %d", n, maxKeyLen)
	}
	n, err := hex.Decode(digits, digits)
	if err != nil { // the cause would quote a digit
		return nil, errors.New("the key is not hexadecimal (an even number of digits, nothing after them)")
	}
	if n < minKeyLen {
		return nil, fmt.Errorf("the key has %d bytes; it needs at least %d", n, minKeyLen)
	}
	return digits[:n], nil
}
