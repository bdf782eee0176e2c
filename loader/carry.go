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

// flowBatch is how many flows one system call moves; a hash bucket must fit.
const flowBatch = 4096

// carryOver copies what an earlier version's maps hold into the new ones, map by map, where keys
// and values have kept their size. What belongs to a run (admissions, budgets, counters, redirect
// targets) begins anew; selections follow from the elements, and whoever adopts these writes them.
func carryOver(oldDir string, to *bpf.WeirMaps) error {
	for name, carry := range map[string]struct {
		to   *ebpf.Map
		copy func(from, to *ebpf.Map) error
	}{
		"endpoints": {to.Endpoints, copyEntries}, "elements": {to.Elements, copyEntries}, "settings": {to.Settings, copyEntries},
		"proven": {to.Proven, copyBatches[uint32, uint64]}, "flows": {to.Flows, copyBatches[bpf.WeirFlowKey, bpf.WeirFlow]},
	} {
		old, err := ebpf.LoadPinnedMap(filepath.Join(oldDir, name), nil)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("open the earlier version's %s: %w", name, err)
		}
		if old.Type() == carry.to.Type() && old.KeySize() == carry.to.KeySize() && old.ValueSize() == carry.to.ValueSize() {
			err = carry.copy(old, carry.to)
		}
		if err = errors.Join(err, old.Close()); err != nil {
			return fmt.Errorf("take over the earlier version's %s: %w", name, err)
		}
	}
	return nil
}

func copyEntries(from, to *ebpf.Map) error {
	var key, value []byte
	it := from.Iterate()
	for it.Next(&key, &value) {
		if err := to.Put(key, value); err != nil {
			return err
		}
	}
	return it.Err()
}

// copyBatches copies maps that packets write to meanwhile. An iterator would start over whenever
// its last key is gone, and give up in the end.
func copyBatches[K, V any](from, to *ebpf.Map) error {
	keys, values := make([]K, flowBatch), make([]V, flowBatch)
	for cursor := new(ebpf.MapBatchCursor); ; {
		n, err := from.BatchLookup(cursor, keys, values, nil)
		end := errors.Is(err, ebpf.ErrKeyNotExist)
		if err != nil && !end {
			return err
		}
		if n > 0 {
			if _, err := to.BatchUpdate(keys[:n], values[:n], nil); err != nil {
				return err
			}
		}
		if end {
			return nil
		}
	}
}
