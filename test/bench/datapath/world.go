// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/loader"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/lab"
)

// The guarded port and a peer of it, and a place that is nothing of ours.
const (
	registrar = "10.0.9.254:3863"
	peer      = "10.0.9.1:40000"
	elsewhere = "10.0.9.7:80"

	ourAddress4, ourAddress6 = "10.0.9.254", "2001:db8:9::254"
)

// plan is what a world is configured with.
type plan struct {
	flows    uint32
	services []served
}

// served is a service with its elements.
type served struct {
	maps.Service
	maps.Options
	elements []netip.AddrPort
	redirect bool // its elements, and their clients, are behind another interface than packets come from
}

// world is a loaded program with its configuration, in a namespace of its own.
type world struct {
	maps    *bpf.WeirMaps
	program *ebpf.Program
	loading time.Duration
	closers []func() error
}

func (w *world) Close() (err error) {
	for i := len(w.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, w.closers[i]())
	}
	return err
}

// newWorld loads the program in a node of the network, and configures it as weir edge does.
func newWorld(network *lab.Lab, name string, p plan) (*world, error) {
	w := &world{}
	err := w.open(network, name, p)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make world %s: %w", name, err), w.Close())
	}
	return w, nil
}

func (w *world) open(network *lab.Lab, name string, p plan) error {
	node, err := network.Node(name)
	if err != nil {
		return err
	}
	if err := network.Link(lab.End{Node: node, Name: "in"}, lab.End{Node: node, Name: "out"}); err != nil {
		return err
	}
	if err := node.Sysctl("net.ipv4.ip_forward", "1"); err != nil {
		return err
	}
	bpffs, err := network.BPFFS()
	if err != nil {
		return err
	}
	var d *loader.Datapath
	var out int
	dir := filepath.Join(bpffs, name)
	if err := node.Do(func() (err error) {
		l, err := netlink.LinkByName("out")
		if err != nil {
			return err
		}
		out = l.Attrs().Index
		begin := time.Now()
		if d, err = loader.Load(loader.Config{Dir: dir, Interfaces: []string{"in", "out"}, Flows: p.flows, Log: slog.New(slog.DiscardHandler)}); err != nil {
			return err
		}
		w.loading = time.Since(begin)
		w.closers = append(w.closers, func() error { return errors.Join(d.Close(), loader.Remove(dir)) })
		return d.Attach()
	}); err != nil {
		return err
	}
	w.maps = d.Maps
	if w.program, err = attached(filepath.Join(dir, "links", "in")); err != nil {
		return err
	}
	w.closers = append(w.closers, w.program.Close)
	return errors.Join(w.limit(d.Clock), w.serve(p.services, uint32(out)), w.ways(d.Clock, uint32(out)))
}

// attached is what a pinned link runs.
func attached(path string) (*ebpf.Program, error) {
	l, err := link.LoadPinnedLink(path, nil)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	info, err := l.Info()
	if err != nil {
		return nil, err
	}
	return ebpf.NewProgramFromID(info.Program)
}

// limit sets up the guard: one peer is admitted, of the others every SYN is challenged.
func (w *world) limit(clock maps.Clock) error {
	err := maps.WriteParameters(w.maps, clock, maps.Limits{
		NewcomersPerSecond: 0, PerSourcePerSecond: math.MaxUint32, ChallengesPerSecond: 1_000_000_000, PacketsPerHandshake: 20,
		ErrorsPerSecond: 10_000, HandshakeTimeout: 30 * time.Second,
	}, maps.Timeouts{TCP: time.Hour, Opening: time.Minute, Closing: time.Minute, UDP: time.Hour})
	if err != nil {
		return err
	}
	if err := maps.WriteTunnelSources(w.maps, maps.TunnelSources{V4: netip.MustParseAddr(ourAddress4), V6: netip.MustParseAddr(ourAddress6)}); err != nil {
		return err
	}
	guard, err := maps.OpenGuard(w.maps, []netip.AddrPort{netip.MustParseAddrPort(registrar)}, nil)
	if err != nil {
		return err
	}
	return guard.Admit(netip.MustParseAddrPort(registrar), []netip.AddrPort{netip.MustParseAddrPort(peer)}, time.Now().Add(time.Hour))
}

// loopback is the interface that packets of a test run come from.
const loopback = 1

func hopTo(ifindex uint32) maps.Hop {
	return maps.Hop{Interface: ifindex, To: [6]byte{2, 0, 0, 0, 0, 2}, From: [6]byte{2, 0, 0, 0, 0, 1}, MTU: 1500}
}

// serve writes services and elements, and the next hops of these.
func (w *world) serve(services []served, out uint32) error {
	var names []maps.Service
	for _, s := range services {
		names = append(names, s.Service)
	}
	steering, err := maps.OpenSteering(w.maps, names)
	if err != nil {
		return err
	}
	w.closers = append(w.closers, steering.Close)
	hops := map[netip.Addr]maps.Hop{}
	var all []maps.Selection
	for _, s := range services {
		if s.Options != (maps.Options{}) {
			if err := steering.Configure(s.Service, s.Options); err != nil {
				return err
			}
		}
		var elements []maps.Element
		for i, addr := range s.elements {
			elements = append(elements, maps.Element{PE: uint32(i + 1), Addr: addr, Weight: 1, State: maps.Active})
			hops[addr.Addr()] = hopTo(loopback)
			if s.redirect {
				hops[addr.Addr()] = hopTo(out)
			}
		}
		all = append(all, maps.Selection{Service: s.Service, Elements: elements})
	}
	if err := steering.ApplyAll(all); err != nil {
		return err
	}
	return steering.SetHops(hops)
}

// The clients: those of the upper halves are behind another interface.
const clientsFar, clientsFar6 = "10.128.0.0/9", "2001:db8:8000::/48"

// ways tells the ways to the clients, for as long as the benchmark may take.
func (w *world) ways(clock maps.Clock, out uint32) error {
	uplinks, err := maps.OpenUplinks(w.maps, clock)
	if err != nil {
		return err
	}
	if err := uplinks.Set(
		[]maps.Uplink{{Prefix: netip.MustParsePrefix(clientsFar), Hop: hopTo(out)}, {Prefix: netip.MustParsePrefix("0.0.0.0/0"), Hop: hopTo(loopback)}},
		[]maps.Uplink{{Prefix: netip.MustParsePrefix(clientsFar6), Hop: hopTo(out)}, {Prefix: netip.MustParsePrefix("::/0"), Hop: hopTo(loopback)}},
	); err != nil {
		return err
	}
	return uplinks.Renew(3 * time.Hour)
}

// forget empties the flow table.
func (w *world) forget() error {
	memory, err := w.maps.Flows.Memory()
	if err != nil {
		return fmt.Errorf("map the flow table: %w", err)
	}
	_, err = memory.WriteAt(make([]byte, memory.Size()), 0)
	return err
}

// counts are the packets of each verdict so far, by its name.
func (w *world) counts() (map[string]uint64, error) {
	all, err := maps.ReadCounts(w.maps)
	counts := map[string]uint64{}
	for _, c := range all {
		counts[c.Name] = c.Packets
	}
	return counts, err
}
