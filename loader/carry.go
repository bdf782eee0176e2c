// SPDX-License-Identifier: Apache-2.0

package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
)

// carryOver copies what an earlier version's maps hold into the new ones, map by map, where keys
// and values have kept their size. What belongs to a run (admissions, budgets, counters, redirect
// targets) begins anew.
func carryOver(oldDir string, to *bpf.WeirMaps) error {
	for name, target := range map[string]*ebpf.Map{
		"endpoints": to.Endpoints, "elements": to.Elements, "selections": to.Selections,
		"flows": to.Flows, "settings": to.Settings, "proven": to.Proven,
	} {
		old, err := ebpf.LoadPinnedMap(filepath.Join(oldDir, name), nil)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("open the earlier version's %s: %w", name, err)
		}
		err = copyMap(old, target)
		if err = errors.Join(err, old.Close()); err != nil {
			return fmt.Errorf("take over the earlier version's %s: %w", name, err)
		}
	}
	return nil
}

func copyMap(from, to *ebpf.Map) error {
	if from.Type() != to.Type() || from.KeySize() != to.KeySize() || from.ValueSize() != to.ValueSize() {
		return nil
	}
	if from.Type() == ebpf.ArrayOfMaps {
		return copyInner(from, to)
	}
	var key, value []byte
	it := from.Iterate()
	for it.Next(&key, &value) {
		if err := to.Put(key, value); err != nil {
			return err
		}
	}
	return it.Err()
}

func copyInner(from, to *ebpf.Map) error {
	for i := range min(from.MaxEntries(), to.MaxEntries()) {
		var inner *ebpf.Map
		err := from.Lookup(i, &inner)
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err = errors.Join(to.Put(i, inner), inner.Close()); err != nil {
			return err
		}
	}
	return nil
}
