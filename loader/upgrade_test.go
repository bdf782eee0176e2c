// SPDX-License-Identifier: Apache-2.0

package loader_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/loader"
	"github.com/weir-lb/weir/maps"
)

func TestOtherTableSizeMovesToNewMaps(t *testing.T) {
	for name, tt := range map[string]struct {
		flows uint32
		least float64 // share of the flows that find a place: all but those whose two buckets are full
	}{
		"larger":  {20_000, 0.998},
		"smaller": {6_000, 0.95},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			cfg := h.config("in0")
			cfg.Flows = 10_000
			first := h.start(cfg)
			fill(t, first)
			h.open(4500)
			before, flows := stateOf(t, first.Maps), flowsOf(t, first, 4500)
			if len(flows.rows) < 8950 || len(flows.tell) < 1790 {
				t.Fatalf("only %d flows, and %d that can be told", len(flows.rows), len(flows.tell))
			}
			link := h.linkInfo("in0").ID
			must(t, first.Close())

			cfg.Flows = tt.flows
			second := h.load(cfg)
			before.check(t, stateOf(t, second.Maps))
			if n := len(entries(t, second.Maps.Admitted)); n != 0 {
				t.Errorf("%d admissions, whose sessions are gone, were taken over", n)
			}
			if same := flows.check(t, flowsOf(t, second, 4500)); float64(same) < tt.least*float64(len(flows.rows)) {
				t.Errorf("%d of %d flows were taken over", same, len(flows.rows))
			}
			for _, m := range []*ebpf.Map{second.Maps.Flows, second.Maps.FlowClients} {
				if m.MaxEntries() != maps.FlowBuckets(tt.flows) {
					t.Errorf("%v has %d buckets, want %d", m, m.MaxEntries(), maps.FlowBuckets(tt.flows))
				}
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

// What packets find after a move is what they found before: the program is asked, and not the agent. Were
// a flow not found, it would choose the one element that takes new flows by then.
func TestFlowsGoOnAfterMove(t *testing.T) {
	h := newHost(t)
	first := h.start(h.config("in0"))
	fill(t, first)
	h.open(100)
	flows := flowsOf(t, first, 100)
	must(t, first.Close())
	cfg := h.config("in0")
	cfg.Flows *= 3
	second := h.start(cfg)
	parameters(t, second)
	steering, err := maps.OpenSteering(second.Maps, services())
	must(t, err)
	for _, service := range services() {
		must(t, steering.Apply(service, append(elements(service)[:1], drained(service)...)))
	}
	must(t, steering.Close())
	h.goOn(100)
	if same := flows.check(t, flowsOf(t, second, 100)); same != 200 {
		t.Errorf("%d of 200 flows went on", same)
	}
	for element, n := range flows.perElement() {
		if n < 8 || len(flows.perElement()) != 6 {
			t.Errorf("element %d had %d of 200 flows: this shows little", element, n)
		}
	}
}

func (f flows) perElement() map[uint16]int {
	all := map[uint16]int{}
	for _, rows := range f.rows {
		all[rows[0]]++
	}
	return all
}

// drained are the service's elements but the first, which take no new flows.
func drained(service maps.Service) []maps.Element {
	rest := elements(service)[1:]
	for i := range rest {
		rest[i].State = maps.Draining
	}
	return rest
}

// Until everything is attached, the old maps are the ones in use, and a failure goes back to them.
func TestFailedMoveKeepsOldMaps(t *testing.T) {
	h := newHost(t)
	first := h.start(h.config("in0"))
	fill(t, first)
	h.open(100)
	before, flows := stateOf(t, first.Maps), flowsOf(t, first, 100)
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
	before.check(t, stateOf(t, again.Maps))
	if same := flows.check(t, flowsOf(t, again, 100)); same != len(flows.rows) {
		t.Errorf("%d of %d flows are left", same, len(flows.rows))
	}
	if got := fmt.Sprint(targets(t, again.Maps.TxPorts)); got != ports {
		t.Errorf("redirects go to %s, want %s", got, ports)
	}
}

// The same without new maps: what was attached keeps its program, what was not stays free.
func TestFailedStartKeepsRunning(t *testing.T) {
	h := newHost(t)
	first := h.start(h.config("in0"))
	fill(t, first)
	h.open(100)
	before, flows := stateOf(t, first.Maps), flowsOf(t, first, 100)
	program, ports := h.xdp("in0"), fmt.Sprint(targets(t, first.Maps.TxPorts))
	must(t, first.Close())
	h.attachForeign("in2")
	h.refused(h.config("in0", "in1", "in2"))
	if h.xdp("in0") != program || h.xdp("in1") != 0 {
		t.Errorf("programs %d and %d, want %d and none", h.xdp("in0"), h.xdp("in1"), program)
	}
	h.wantLeft("links", "links/in0", "v1")
	again := h.load(h.config("in0"))
	before.check(t, stateOf(t, again.Maps))
	if same := flows.check(t, flowsOf(t, again, 100)); same != len(flows.rows) {
		t.Errorf("%d of %d flows are left", same, len(flows.rows))
	}
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
	fill(t, killed)       // with keys of its own, by which nothing else would be found
	h.wantLeft("links", "links/in0", "next", "v1")
	cfg.Flows /= 2
	fill(t, first)
	h.open(10)
	before, flows := stateOf(t, first.Maps), flowsOf(t, first, 10)
	must(t, first.Close())

	second := h.start(cfg)
	before.check(t, stateOf(t, second.Maps))
	if same := flows.check(t, flowsOf(t, second, 10)); same != 20 {
		t.Errorf("%d of 20 flows that began after the killed start were taken over", same)
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
