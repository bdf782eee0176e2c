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

// carryOver copies what an earlier version's maps hold into the new ones, and says whether it did. All
// of it goes together, or nothing: flows are found by the keys in the settings, and name rows of elements
// and services. What belongs to a run (admissions, budgets, counters, redirect targets) begins anew;
// selections follow from the elements, and whoever adopts these writes them. Flows find their places anew,
// in a table of another size.
func carryOver(oldDir string, to *bpf.WeirMaps) (carried bool, err error) {
	old, err := openOld(oldDir)
	if err != nil {
		return false, err
	}
	defer old.close()
	for name, m := range map[string]*ebpf.Map{
		"settings": to.Settings, "services": to.Services, "elements": to.Elements, "endpoints": to.Endpoints,
		"flows": to.Flows, "flow_clients": to.FlowClients, "proven": to.Proven,
	} {
		if !fits(name, old[name], m) {
			return false, nil
		}
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
		if err := carry.copy(old[carry.name], carry.to); err != nil {
			return false, fmt.Errorf("take over the earlier version's %s: %w", carry.name, err)
		}
	}
	return true, maps.MoveFlows(old["flows"], old["flow_clients"], to)
}

// fits says whether what an earlier map holds means the same in a new one. Rows keep their numbers in a
// longer map; where an endpoint is depends on how many places there are.
func fits(name string, from, to *ebpf.Map) bool {
	if from == nil || from.Type() != to.Type() || from.KeySize() != to.KeySize() || from.ValueSize() != to.ValueSize() {
		return false
	}
	switch name {
	case "services", "elements":
		return from.MaxEntries() <= to.MaxEntries()
	case "endpoints":
		return from.MaxEntries() == to.MaxEntries()
	}
	return true
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
