// SPDX-License-Identifier: Apache-2.0

package loader_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/loader"
)

// older puts another map in the place of one of the pinned, as another version may have left it.
func (h *host) older(spec ebpf.MapSpec) {
	h.Helper()
	pin := filepath.Join(h.dir, "v1", spec.Name)
	must(h.T, os.Remove(pin))
	if spec.Type == ebpf.UnspecifiedMap {
		return // it had none
	}
	m, err := ebpf.NewMap(&spec)
	must(h.T, err)
	defer m.Close()
	must(h.T, m.Pin(pin))
	key, value := bytes.Repeat([]byte{1}, int(spec.KeySize)), bytes.Repeat([]byte{1}, int(spec.ValueSize))
	if spec.Type == ebpf.Array {
		clear(key)
	}
	must(h.T, m.Put(key, value))
}

func (h *host) pins() (names []string) {
	h.Helper()
	entries, err := os.ReadDir(filepath.Join(h.dir, "v1"))
	must(h.T, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Maps of another layout are replaced. Of them nothing is carried, not even what still fits: flows name
// rows of elements and are found by the keys of the settings.
func TestOtherLayoutIsReplaced(t *testing.T) {
	for _, tt := range []struct {
		name string
		maps []ebpf.MapSpec
	}{
		{"the first version's", []ebpf.MapSpec{
			{Name: "settings", Type: ebpf.Array, KeySize: 4, ValueSize: 104, MaxEntries: 1},
			{Name: "endpoints", Type: ebpf.Hash, KeySize: 8, ValueSize: 4, MaxEntries: 4096},
			{Name: "elements", Type: ebpf.Array, KeySize: 4, ValueSize: 16, MaxEntries: 16384},
			{Name: "flows", Type: ebpf.LRUHash, KeySize: 16, ValueSize: 24, MaxEntries: 2048},
			{Name: "proven", Type: ebpf.LRUHash, KeySize: 4, ValueSize: 8, MaxEntries: 65536},
			{Name: "flow_clients"}, {Name: "services"}, {Name: "tallies"},
		}},
		{"other settings", []ebpf.MapSpec{{Name: "settings", Type: ebpf.Array, KeySize: 4, ValueSize: 104, MaxEntries: 1}}},
		{"other elements", []ebpf.MapSpec{{Name: "elements", Type: ebpf.Array, KeySize: 4, ValueSize: 72, MaxEntries: 65536}}},
		{"more services", []ebpf.MapSpec{{Name: "services", Type: ebpf.Array, KeySize: 4, ValueSize: 64, MaxEntries: 32768}}},
		{"other places of endpoints", []ebpf.MapSpec{{Name: "endpoints", Type: ebpf.Array, KeySize: 4, ValueSize: 64, MaxEntries: 4096, Flags: mmapable}}},
		{"other flows", []ebpf.MapSpec{{Name: "flows", Type: ebpf.Array, KeySize: 4, ValueSize: 128, MaxEntries: 320, Flags: mmapable}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t)
			first := h.start(h.config("in0"))
			fill(t, first)
			h.open(10)
			program := h.xdp("in0")
			must(t, first.Close())
			for _, spec := range tt.maps {
				h.older(spec)
			}
			pins := h.pins()

			log := new(bytes.Buffer)
			cfg := h.config("in0")
			cfg.Log = slog.New(slog.NewTextHandler(log, nil))
			second := h.load(cfg)
			for name, left := range stateOf(t, second.Maps) {
				if len(left) != 0 {
					t.Errorf("%s has %d entries of before", name, len(left))
				}
			}
			if want := "have another version's layout: its flows are not known any more"; !strings.Contains(log.String(), want) {
				t.Errorf("it logs\n%s\nwant %q", log, want)
			}
			if got := h.pins(); !slices.Equal(got, pins) {
				t.Errorf("the old version's maps are now %v, were %v", got, pins)
			}
			if h.xdp("in0") != program {
				t.Error("the old version's program is gone before the new one is there")
			}
			fill(t, second) // without keys this fails
			if got := flowsOf(t, second, 10); len(got.rows) != 0 {
				t.Errorf("flows of before are known: %v", got.rows)
			}
			h.inside(second.Attach)
			h.open(10)
			if got := flowsOf(t, second, 10); len(got.rows) != 20 {
				t.Errorf("%d of 20 new flows are known", len(got.rows))
			}
			h.wantLeft("links", "links/in0", "v2")
		})
	}
}

// Rows keep their numbers when a version has room for more of them.
func TestRowsMayBecomeMore(t *testing.T) {
	h := newHost(t)
	first := h.start(h.config("in0"))
	fill(t, first)
	h.open(10)
	before, flows := stateOf(t, first.Maps), flowsOf(t, first, 10)
	services := entries(t, first.Maps.Services)
	must(t, first.Close())
	h.older(ebpf.MapSpec{Name: "services", Type: ebpf.Array, KeySize: 4, ValueSize: 64, MaxEntries: 4096})
	m, err := ebpf.LoadPinnedMap(filepath.Join(h.dir, "v1", "services"), nil)
	must(t, err)
	defer m.Close()
	must(t, m.Put(uint32(0), make([]byte, 64)))
	for row, service := range services {
		must(t, m.Put([]byte(row), []byte(service)))
	}
	second := h.start(h.config("in0"))
	before.check(t, stateOf(t, second.Maps))
	if same := flows.check(t, flowsOf(t, second, 10)); same != 20 {
		t.Errorf("%d of 20 flows were taken over", same)
	}
}

// A start that finds another layout and fails leaves the old version as it was.
func TestFailedMoveFromOtherLayout(t *testing.T) {
	h := newHost(t)
	must(t, h.start(h.config("in0")).Close())
	program := h.xdp("in0")
	h.older(ebpf.MapSpec{Name: "settings", Type: ebpf.Array, KeySize: 4, ValueSize: 104, MaxEntries: 1})
	h.older(ebpf.MapSpec{Name: "tallies"})
	pins := h.pins()
	h.attachForeign("in1")
	h.refused(h.config("in0", "in1"))
	if got := h.pins(); !slices.Equal(got, pins) || h.xdp("in0") != program {
		t.Errorf("maps %v and program %d, were %v and %d", got, h.xdp("in0"), pins, program)
	}
	h.wantLeft("links", "links/in0", "v1")
	must(t, loader.Remove(h.dir))
}

const mmapable = 1 << 10 // BPF_F_MMAPABLE
