// SPDX-License-Identifier: Apache-2.0

package psk

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
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

// entry is one line of a key file. Whoever holds it zeroes the key.
type entry struct {
	identity string
	key      []byte
}

func zeroKeys(entries []entry) {
	for _, e := range entries {
		clear(e.key)
	}
}

// readKeyFile reads a file that only its owner can read. The mode is that of
// the file which was opened, whatever the path names by then.
func readKeyFile(path string) ([]entry, error) {
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
	defer clear(text)
	if _, err := io.ReadFull(f, text); err != nil {
		return nil, fmt.Errorf("read key file %s: %w", path, err)
	}
	entries, err := parseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	return entries, nil
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

// keyParser holds what the lines before have taken.
type keyParser struct {
	entries    []entry
	identities map[string]int            // to its line
	keys       map[[sha256.Size]byte]int // a digest: no key outlives its entry
}

// parseKeys parses `identity:hexkey` lines. Its errors name lines, and never
// quote one: a line with a mistake may be a key in the wrong place.
func parseKeys(text []byte) ([]entry, error) {
	p := keyParser{identities: map[string]int{}, keys: map[[sha256.Size]byte]int{}}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if err := p.line(number, line); err != nil {
			zeroKeys(p.entries)
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	if len(p.entries) == 0 {
		return nil, errors.New("there is no key in it; write one identity:hexkey a line")
	}
	return p.entries, nil
}

// line takes what stands before the last colon as the identity: a key has none.
func (p *keyParser) line(number int, line []byte) error {
	colon := bytes.LastIndexByte(line, ':')
	if colon < 0 {
		return errors.New("there is no colon; write identity:hexkey")
	}
	if err := checkIdentity(line[:colon]); err != nil {
		return err
	}
	identity := string(line[:colon])
	if first, ok := p.identities[identity]; ok {
		return fmt.Errorf("its identity already has a key on line %d", first)
	}
	key, err := decodeKey(line[colon+1:])
	if err != nil {
		return err
	}
	p.entries = append(p.entries, entry{identity, key})
	p.identities[identity] = number
	digest := sha256.Sum256(key)
	if first, ok := p.keys[digest]; ok {
		return fmt.Errorf("its key is also that of line %d; each identity needs a key of its own", first)
	}
	p.keys[digest] = number
	return nil
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
	key := make([]byte, hex.DecodedLen(len(digits)))
	if _, err := hex.Decode(key, digits); err != nil {
		clear(key)
		// The cause would quote a digit.
		return nil, errors.New("the key is not hexadecimal (an even number of digits, nothing after them)")
	}
	if len(key) < minKeyLen {
		clear(key)
		return nil, fmt.Errorf("the key has %d bytes; it needs at least %d", len(key), minKeyLen)
	}
	return key, nil
}
