// SPDX-License-Identifier: Apache-2.0

package loader_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/loader"
)

// fillMaps writes one entry into each map that is carried over, and into one that is not.
func fillMaps(t *testing.T, m *bpf.WeirMaps) {
	t.Helper()
	must(t, m.Endpoints.Put(bpf.WeirEndpointKey{Addr: 1, Port: 2, Protocol: 6}, bpf.WeirEndpoint{Kind: 2, Service: 3}))
	must(t, m.Elements.Put(uint32(5), bpf.WeirElement{Addr: 7, Generation: 9, State: 4}))
	must(t, m.Settings.Put(uint32(0), bpf.WeirParameters{SelectKey: [2]uint64{11, 12}}))
	must(t, m.Proven.Put(uint32(13), uint64(14)))
	must(t, m.Admitted.Put(bpf.WeirPeerKey{Addr: 15}, uint64(16)))
}

func fillFlows(t *testing.T, m *bpf.WeirMaps, n int) {
	t.Helper()
	for i := range n {
		must(t, m.Flows.Put(bpf.WeirFlowKey{Src: uint32(i)}, bpf.WeirFlow{Addr: uint32(i), Element: 5, Generation: 9}))
	}
}

func checkMaps(t *testing.T, m *bpf.WeirMaps) {
	t.Helper()
	var at bpf.WeirEndpoint
	if err := m.Endpoints.Lookup(bpf.WeirEndpointKey{Addr: 1, Port: 2, Protocol: 6}, &at); err != nil || at.Service != 3 {
		t.Errorf("endpoint %+v, %v", at, err)
	}
	var e bpf.WeirElement
	if err := m.Elements.Lookup(uint32(5), &e); err != nil || e.Addr != 7 || e.Generation != 9 || e.State != 4 {
		t.Errorf("element %+v, %v", e, err)
	}
	var p bpf.WeirParameters
	if err := m.Settings.Lookup(uint32(0), &p); err != nil || p.SelectKey != [2]uint64{11, 12} {
		t.Errorf("settings %+v, %v", p, err)
	}
	var expires uint64
	if err := m.Proven.Lookup(uint32(13), &expires); err != nil || expires != 14 {
		t.Errorf("proof %d, %v", expires, err)
	}
}

func flowsThere(m *bpf.WeirMaps, n int) (there int) {
	var f bpf.WeirFlow
	for i := range n {
		if m.Flows.Lookup(bpf.WeirFlowKey{Src: uint32(i)}, &f) == nil && f.Addr == uint32(i) && f.Generation == 9 {
			there++
		}
	}
	return there
}

func TestOtherTableSizeMovesToNewMaps(t *testing.T) {
	for name, flows := range map[string]uint32{"larger": 20_000, "smaller": 6_000} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			cfg := h.config("in0")
			cfg.Flows = 10_000
			first := h.start(cfg)
			fillMaps(t, first.Maps)
			fillFlows(t, first.Maps, 9000) // several batches
			kept := flowsThere(first.Maps, 9000)
			link := h.linkInfo("in0").ID
			must(t, first.Close())

			cfg.Flows = flows
			second := h.load(cfg)
			checkMaps(t, second.Maps)
			var expires uint64
			if err := second.Maps.Admitted.Lookup(bpf.WeirPeerKey{Addr: 15}, &expires); err == nil {
				t.Error("an admission, whose session is gone, was taken over")
			}
			if got := flowsThere(second.Maps, 9000); got < kept*19/20 { // an LRU map may evict early
				t.Errorf("%d of %d flows were taken over", got, kept)
			}
			if second.Maps.Flows.MaxEntries() != 2*flows {
				t.Errorf("room for %d entries, want %d", second.Maps.Flows.MaxEntries(), 2*flows)
			}
			h.wantLeft("links", "links/in0", "next", "v1")
			h.inside(second.Attach)
			if id := h.linkInfo("in0").ID; id != link {
				t.Errorf("link %d became %d", link, id)
			}
			h.wantLeft("links", "links/in0", "v2")

			must(t, second.Close())
			h.start(cfg)
			h.wantLeft("links", "links/in0", "v2")
		})
	}
}

// Until everything is attached, the old maps are the ones in use, and a failure goes back to them.
func TestFailedMoveKeepsOldMaps(t *testing.T) {
	h := newHost(t)
	first := h.start(h.config("in0"))
	fillMaps(t, first.Maps)
	program, ports := h.xdp("in0"), fmt.Sprint(targets(t, first.Maps.TxPorts))
	must(t, first.Close())
	h.attachForeign("in1")
	cfg := h.config("in0", "in1")
	cfg.Flows *= 2
	h.refused(cfg)
	if h.xdp("in0") != program {
		t.Errorf("program %d became %d", program, h.xdp("in0"))
	}
	h.wantLeft("links", "links/in0", "v1")
	again := h.load(h.config("in0"))
	checkMaps(t, again.Maps)
	if got := fmt.Sprint(targets(t, again.Maps.TxPorts)); got != ports {
		t.Errorf("redirects go to %s, want %s", got, ports)
	}
}

// The same without new maps: what was attached keeps its program, what was not stays free.
func TestFailedStartKeepsRunning(t *testing.T) {
	h := newHost(t)
	first := h.start(h.config("in0"))
	fillMaps(t, first.Maps)
	program, ports := h.xdp("in0"), fmt.Sprint(targets(t, first.Maps.TxPorts))
	must(t, first.Close())
	h.attachForeign("in2")
	h.refused(h.config("in0", "in1", "in2"))
	if h.xdp("in0") != program || h.xdp("in1") != 0 {
		t.Errorf("programs %d and %d, want %d and none", h.xdp("in0"), h.xdp("in1"), program)
	}
	h.wantLeft("links", "links/in0", "v1")
	again := h.load(h.config("in0"))
	checkMaps(t, again.Maps)
	if got := fmt.Sprint(targets(t, again.Maps.TxPorts)); got != ports {
		t.Errorf("redirects go to %s, want %s", got, ports)
	}
}

// A start that was killed in the middle of a move leaves maps that nobody runs on; what they
// copied is old by the time of the next start.
func TestMoveThatWasKilled(t *testing.T) {
	h := newHost(t)
	first := h.start(h.config("in0"))
	cfg := h.config("in0")
	cfg.Flows *= 4
	killed := h.load(cfg) // and it is gone before it attaches: its pins stay
	must(t, killed.Maps.Endpoints.Put(bpf.WeirEndpointKey{Addr: 99}, bpf.WeirEndpoint{Kind: 2}))
	h.wantLeft("links", "links/in0", "next", "v1")
	cfg.Flows /= 2
	fillMaps(t, first.Maps)
	fillFlows(t, first.Maps, 10)
	must(t, first.Close())

	second := h.start(cfg)
	checkMaps(t, second.Maps)
	if got := flowsThere(second.Maps, 10); got != 10 {
		t.Errorf("%d of 10 flows that began after the killed start were taken over", got)
	}
	var at bpf.WeirEndpoint
	if err := second.Maps.Endpoints.Lookup(bpf.WeirEndpointKey{Addr: 99}, &at); err == nil {
		t.Error("what only the killed start knew was taken over")
	}
	h.wantLeft("links", "links/in0", "v2")
}

// The same killed start, after which the configuration is what it was.
func TestMoveThatWasKilledAndTakenBack(t *testing.T) {
	h := newHost(t)
	first := h.start(h.config("in0"))
	cfg := h.config("in0")
	cfg.Flows *= 2
	h.load(cfg)
	flows := mapID(t, first.Maps.Flows)
	must(t, first.Close())
	second := h.start(h.config("in0"))
	if id := mapID(t, second.Maps.Flows); id != flows {
		t.Errorf("the flow table %d became %d", flows, id)
	}
	h.wantLeft("links", "links/in0", "v1")
}

// Others' folders are no versions.
func TestFoldersThatAreNoVersions(t *testing.T) {
	h := newHost(t)
	must(t, os.MkdirAll(filepath.Join(h.dir, "7"), 0o700))
	must(t, os.MkdirAll(filepath.Join(h.dir, "v0"), 0o700))
	must(t, h.start(h.config("in0")).Close())
	h.wantLeft("7", "links", "links/in0", "v0", "v1")
	must(t, loader.Remove(h.dir))
	h.wantLeft("7", "v0")
}
