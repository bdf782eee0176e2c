// SPDX-License-Identifier: Apache-2.0

package psk

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestReloadOverwritesOldKeys looks for a replaced key in all of this process's
// memory.
func TestReloadOverwritesOldKeys(t *testing.T) {
	scan := newScanner(t)
	path := keyFile(t)
	scan.writeKey(t, path)
	keys, err := LoadKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := scan.occurrences(t); n != 1 {
		t.Errorf("a loaded key is %d times in memory, want once", n)
	}
	rewrite(t, path, "pe-1:"+keyB)
	if err := keys.Reload(); err != nil {
		t.Fatal(err)
	}
	if n := scan.occurrences(t); n != 0 {
		t.Errorf("a replaced key is %d times in memory", n)
	}
}

// scanner looks for a key in the memory of this process. What it needs itself
// lies in a shared mapping, which it leaves out: it would find its own copies.
type scanner struct {
	key, line, buf []byte
}

func newScanner(t *testing.T) *scanner {
	t.Helper()
	mem, err := syscall.Mmap(-1, 0, 1<<20, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_SHARED|syscall.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(mem) })
	return &scanner{key: mem[:32], line: mem[32 : 32+5+64], buf: mem[4096:]}
}

func (s *scanner) writeKey(t *testing.T, path string) {
	t.Helper()
	if _, err := rand.Read(s.key); err != nil {
		t.Fatal(err)
	}
	copy(s.line, "pe-1:")
	hex.Encode(s.line[5:], s.key)
	if err := os.WriteFile(path, s.line, 0o600); err != nil {
		t.Fatal(err)
	}
}

// occurrences counts the key, raw or as hexadecimal digits, in private memory.
func (s *scanner) occurrences(t *testing.T) (n int) {
	t.Helper()
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	const overlap = 64 // a key may lie across two pieces
	for _, r := range writable(t) {
		for at := r.from; at < r.to; at += int64(len(s.buf) - overlap) {
			piece := s.buf[:min(int64(len(s.buf)), r.to-at)]
			if _, err := mem.ReadAt(piece, at); err != nil {
				break // the mapping went away, or has no page behind it
			}
			n += bytes.Count(piece, s.key) + bytes.Count(piece, s.line[5:])
		}
	}
	return n
}

type region struct{ from, to int64 }

func writable(t *testing.T) (regions []region) {
	t.Helper()
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var r region
		var mode string
		_, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &r.from, &r.to, &mode)
		// The race detector's shadow is terabytes of address space.
		if err == nil && strings.HasPrefix(mode, "rw") && strings.HasSuffix(mode, "p") && r.to-r.from <= 256<<20 {
			regions = append(regions, r)
		}
	}
	return regions
}
