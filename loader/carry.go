// SPDX-License-Identifier: Apache-2.0

package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/maps"
)

// batch is how many entries one system call moves; a hash bucket must fit.
const batch = 4096

// carryOver copies what an earlier version's maps hold into the new ones, map by map, where keys
// and values have kept their size. What belongs to a run (admissions, budgets, counters, redirect
// targets) begins anew; selections follow from the elements, and whoever adopts these writes them.
// Flows find their places anew, in a table of another size. Everything is found by the keys in the
// settings: without those nothing is worth having.
func carryOver(oldDir string, to *bpf.WeirMaps) error {
	old, err := openOld(oldDir)
	if err != nil {
		return err
	}
	defer old.close()
	if !fits(old["settings"], to.Settings) {
		return nil
	}
	for _, carry := range []struct {
		name string
		to   *ebpf.Map
		copy func(from, to *ebpf.Map) error
	}{
		{"settings", to.Settings, copyBatches[uint32, bpf.WeirParameters]},
		{"services", to.Services, copyBatches[uint32, bpf.WeirService]},
		{"elements", to.Elements, copyBatches[uint32, bpf.WeirElement]},
		{"endpoints", to.Endpoints, copyBatches[uint32, bpf.WeirEndpointBucket]},
		{"proven", to.Proven, copyBatches[bpf.WeirAddress, uint64]},
	} {
		from := old[carry.name]
		if !fits(from, carry.to) || from.Type() == ebpf.Array && from.MaxEntries() > carry.to.MaxEntries() {
			continue
		}
		if err := carry.copy(from, carry.to); err != nil {
			return fmt.Errorf("take over the earlier version's %s: %w", carry.name, err)
		}
	}
	if !fits(old["flows"], to.Flows) || !fits(old["flow_clients"], to.FlowClients) {
		return nil
	}
	return maps.MoveFlows(old["flows"], old["flow_clients"], to)
}

func fits(from, to *ebpf.Map) bool {
	return from != nil && from.Type() == to.Type() && from.KeySize() == to.KeySize() && from.ValueSize() == to.ValueSize()
}

// oldMaps are an earlier version's, by name.
type oldMaps map[string]*ebpf.Map

func openOld(dir string) (oldMaps, error) {
	old := oldMaps{}
	for _, name := range []string{"settings", "services", "elements", "endpoints", "proven", "flows", "flow_clients"} {
		m, err := ebpf.LoadPinnedMap(filepath.Join(dir, name), nil)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			old.close()
			return nil, fmt.Errorf("open the earlier version's %s: %w", name, err)
		}
		old[name] = m
	}
	return old, nil
}

func (o oldMaps) close() {
	for _, m := range o {
		m.Close()
	}
}

// copyBatches copies maps that packets write to meanwhile. An iterator would start over whenever
// its last key is gone, and give up in the end.
func copyBatches[K, V any](from, to *ebpf.Map) error {
	keys, values := make([]K, batch), make([]V, batch)
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
