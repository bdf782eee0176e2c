// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/loader"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/lab"
	"github.com/weir-lb/weir/test/require"
)

type fixture struct {
	testing.TB
	gateway  *lab.Node
	maps     *bpf.WeirMaps
	program  *ebpf.Program
	steering *maps.Steering
	flows    *maps.Flows
	guard    *maps.Guard
	ifindex  map[string]uint32
	clock    maps.Clock
	settings bpf.WeirParameters // as they were at first
	verdicts []maps.Count       // as package maps shows them
	state    []*ebpf.Memory     // of the flow table, of whose IPv6 flows are in it, and of fragments
}

// newFixture is the fixture that the tests share, as if it were new: making one takes longer than most tests.
func newFixture(t testing.TB) *fixture {
	t.Helper()
	require.Need(t, require.Root, require.BPF, require.NetNS)
	f := shared.fixture(t)
	f.reset()
	return f
}

// newFixtureOf loads the program, attaches it and opens services and guard like weir edge does, with a flow
// table that is made for so many flows.
func newFixtureOf(t testing.TB, flows uint32) *fixture {
	t.Helper()
	require.Need(t, require.Root, require.BPF, require.NetNS)
	return makeFixture(t, "bpf-own", flows)
}

func makeFixture(t testing.TB, name string, flows uint32) *fixture {
	t.Helper()
	network, err := lab.New(name, slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { must(t, network.Close()) })
	f := &fixture{TB: t, ifindex: map[string]uint32{}}
	f.wire(network)
	dir, err := network.BPFFS()
	must(t, err)
	f.load(filepath.Join(dir, "weir"), flows)
	must(t, f.maps.Settings.Lookup(uint32(0), &f.settings))
	return f
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) load(dir string, flows uint32) {
	var d *loader.Datapath
	f.inside(func() (err error) {
		if d, err = loader.Load(loader.Config{
			Dir: dir, Interfaces: []string{"cl", "be"}, Flows: flows, Log: slog.New(slog.DiscardHandler),
		}); err != nil {
			return err
		}
		return d.Attach()
	})
	f.Cleanup(func() { must(f, d.Close()); must(f, loader.Remove(dir)) })
	f.maps, f.clock = d.Maps, d.Clock
	must(f, maps.WriteParameters(f.maps, d.Clock, maps.Limits{
		NewcomersPerSecond: 1000, PerSourcePerSecond: 50, ChallengesPerSecond: 1000, PacketsPerHandshake: 3, ErrorsPerSecond: 10_000, HandshakeTimeout: time.Minute,
	}, maps.Timeouts{TCP: time.Hour, Opening: time.Minute, Closing: time.Minute, UDP: time.Minute}))
	// The choice of elements must be the same every time: with two of them, one flow in 256 finds
	// the same one in all of its eight tries.
	f.change(func(p *bpf.WeirParameters) { p.SelectKey = [2]uint64{1, 2} })
	var err error
	f.guard, err = maps.OpenGuard(f.maps, addrPorts(registrar, registrar6), nil)
	must(f, err)
	f.steering, err = maps.OpenSteering(f.maps, services())
	must(f, err)
	f.Cleanup(func() { must(f, f.steering.Close()) })
	f.flows, err = maps.OpenFlows(f.maps, d.Clock)
	must(f, err)
	f.Cleanup(func() { must(f, f.flows.Close()) })
	f.verdicts, err = maps.ReadCounts(f.maps)
	must(f, err)
	for _, m := range []*ebpf.Map{f.maps.Flows, f.maps.FlowClients, f.maps.Fragments, f.maps.Associations} {
		memory, err := m.Memory()
		must(f, err)
		f.state = append(f.state, memory)
	}
	f.program = attachedProgram(f, filepath.Join(dir, "links", "cl"))
}

// attachedProgram is what a pinned link runs.
func attachedProgram(t testing.TB, path string) *ebpf.Program {
	l, err := link.LoadPinnedLink(path, nil)
	must(t, err)
	defer l.Close()
	info, err := l.Info()
	must(t, err)
	program, err := ebpf.NewProgramFromID(info.Program)
	must(t, err)
	t.Cleanup(func() { program.Close() })
	return program
}

// change rewrites the settings that the program reads.
func (f *fixture) change(set func(*bpf.WeirParameters)) {
	f.Helper()
	var p bpf.WeirParameters
	must(f, f.maps.Settings.Lookup(uint32(0), &p))
	set(&p)
	must(f, f.maps.Settings.Put(uint32(0), p))
}

// pool applies active elements of weight 1 to a service, with their index as PE identifier.
func (f *fixture) pool(s maps.Service, elements ...string) {
	f.Helper()
	var list []maps.Element
	for i, e := range elements {
		list = append(list, maps.Element{PE: uint32(i + 1), Addr: addrPort(e), Weight: 1, State: maps.Active})
	}
	must(f, f.steering.Apply(s, list))
}

// mark applies the service's elements with another state for one of them; nil removes it.
func (f *fixture) mark(s maps.Service, element string, state *maps.State) {
	f.Helper()
	var list []maps.Element
	for _, row := range f.steering.Rows(s) {
		e := row.Element
		if e.Addr == addrPort(element) {
			if state == nil {
				continue
			}
			e.State = *state
		}
		list = append(list, e)
	}
	must(f, f.steering.Apply(s, list))
}
