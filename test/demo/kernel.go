// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"path/filepath"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
)

// decidedMaps are the pinned maps that hold what the gateway decided, and how each is read. Flows
// and counters, which packets change, are not among them; of the admitted peers the value is a
// time, which is renewed, and of the elements the way to them is what routes and neighbours say.
var decidedMaps = []struct {
	name string
	hash func(hash.Hash, *ebpf.Map) error
}{
	{"endpoints", hashArray[bpf.WeirEndpointBucket]}, {"services", hashArray[bpf.WeirService]}, {"elements", hashElements},
	{"settings", hashArray[bpf.WeirParameters]}, {"selections", hashInner}, {"admitted", hashKeys},
}

// fingerprint is a hash of every byte of the decided maps, in the order of their keys.
func fingerprint(pinDir string) (string, error) {
	h := sha256.New()
	for _, decided := range decidedMaps {
		m, err := ebpf.LoadPinnedMap(filepath.Join(pinDir, "v1", decided.name), nil)
		if err != nil {
			return "", fmt.Errorf("open the pinned map %s: %w", decided.name, err)
		}
		err = decided.hash(h, m)
		if err = errors.Join(err, m.Close()); err != nil {
			return "", fmt.Errorf("read the pinned map %s: %w", decided.name, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func hashKeys(h hash.Hash, m *ebpf.Map) error {
	entries, err := readMap(m)
	for _, key := range sortedKeys(entries) {
		h.Write([]byte(key))
	}
	return err
}

func hashArray[V any](h hash.Hash, m *ebpf.Map) error {
	rows, err := readArray[V](m)
	fmt.Fprint(h, rows)
	return err
}

func hashElements(h hash.Hash, m *ebpf.Map) error {
	rows, err := readArray[bpf.WeirElement](m)
	for i := range rows {
		rows[i].Hop = bpf.WeirHop{}
	}
	fmt.Fprint(h, rows)
	return err
}

func readArray[V any](m *ebpf.Map) ([]V, error) {
	keys, rows := make([]uint32, m.MaxEntries()), make([]V, m.MaxEntries())
	_, err := m.BatchLookup(new(ebpf.MapBatchCursor), keys, rows, nil)
	if errors.Is(err, ebpf.ErrKeyNotExist) { // that was all of it
		err = nil
	}
	return rows, err
}

func readMap(m *ebpf.Map) (map[string][]byte, error) {
	entries := map[string][]byte{}
	var key, value []byte
	it := m.Iterate()
	for it.Next(&key, &value) {
		entries[string(key)] = bytes.Clone(value)
	}
	return entries, it.Err()
}

func hashInner(h hash.Hash, outer *ebpf.Map) error {
	for i := range outer.MaxEntries() {
		var inner *ebpf.Map
		err := outer.Lookup(i, &inner)
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		fmt.Fprint(h, i)
		if err := errors.Join(hashArray[bpf.WeirSelectionCell](h, inner), inner.Close()); err != nil {
			return err
		}
	}
	return nil
}
