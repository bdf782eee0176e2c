// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/bpf"
)

// Limits are budgets for what is not authenticated.
type Limits struct {
	NewcomersPerSecond  uint32        // SYNs of strangers, all together; a second's worth may come at once
	PerSourcePerSecond  uint32        // SYNs of one address
	ChallengesPerSecond uint32        // SYNs answered by a challenge
	PacketsPerHandshake uint32        // packets of one connection after its SYN and before it is admitted
	ErrorsPerSecond     uint32        // ICMP errors about packets that are larger than an MTU (RFC 4443 2.4(f))
	HandshakeTimeout    time.Duration // how long a connection may live before it is admitted
}

// provenFor is how long an address that answered a challenge may open connections without
// another one; provenFactor is how many more of those the guard lets in than of strangers.
const (
	provenFor    = 30 * time.Second
	provenFactor = 4
)

// WriteParameters sets limits and timeouts and, where the maps are new, the secret keys of the flow table,
// the selection and the challenges. Keys that are there stay: flows' hashes must outlive the agent.
func WriteParameters(m *bpf.WeirMaps, c Clock, limits Limits, timeouts Timeouts) error {
	p, err := readSettings(m)
	if err != nil {
		return err
	}
	if p.SelectKey == [2]uint64{} {
		p.SelectKey = newKey()
		p.GuardKey = newKey()
		p.TupleKey = newTupleKey()
	}
	p.Timeouts = timeouts.states(c)
	for budget, perSecond := range map[bpf.WeirBudget]uint64{
		bpf.WeirBudgetBUDGET_NEWCOMERS:  uint64(limits.NewcomersPerSecond),
		bpf.WeirBudgetBUDGET_PROVEN:     provenFactor * uint64(limits.NewcomersPerSecond),
		bpf.WeirBudgetBUDGET_CHALLENGES: uint64(limits.ChallengesPerSecond),
		bpf.WeirBudgetBUDGET_ERRORS:     uint64(limits.ErrorsPerSecond),
	} {
		p.Rates[budget].Interval, p.Rates[budget].Burst = rate(perSecond)
	}
	p.HandshakeNs = uint64(limits.HandshakeTimeout)
	p.ProvenNs = uint64(provenFor)
	p.SourcePerSecond = limits.PerSourcePerSecond
	p.HandshakePackets = limits.PacketsPerHandshake
	if err := m.Settings.Put(uint32(0), p); err != nil {
		return fmt.Errorf("write the settings: %w", err)
	}
	return nil
}

func newKey() (key [2]uint64) {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand, Go 1.24)
	key[0], key[1] = binary.NativeEndian.Uint64(b[:8]), binary.NativeEndian.Uint64(b[8:])
	return key
}

// rate is perSecond as a token bucket of one second's depth; 0 lets nothing through. The clock's
// nanosecond is the finest interval. The first packet of a burst is on time, not ahead of it.
func rate(perSecond uint64) (interval, burst uint64) {
	if perSecond == 0 {
		return 0, 0
	}
	interval = max(uint64(time.Second)/perSecond, 1)
	return interval, uint64(time.Second) - interval
}

// Guard is the kernel's gate in front of the registrar's sockets. Admit and Revoke are safe from
// any goroutine.
type Guard struct {
	maps *bpf.WeirMaps
}

// OpenGuard puts the guard in front of locals, addresses and ports of this host where TCP is
// spoken, and forgets admissions of an earlier agent, whose sessions ended with it. Where SCTP is
// spoken too, at those in overSCTP, its packets are left to the kernel, which keeps no state for
// those that have not shown that they receive at their address (RFC 9260 5.1). The settings must be
// written, and no Steering may be open.
func OpenGuard(m *bpf.WeirMaps, locals, overSCTP []netip.AddrPort) (*Guard, error) {
	if err := clearMap[bpf.WeirPeerKey, uint64](m.Admitted); err != nil {
		return nil, fmt.Errorf("clear old admissions: %w", err)
	}
	endpoints, err := openEndpoints(m)
	if err != nil {
		return nil, err
	}
	g := &Guard{maps: m}
	if err := errors.Join(g.place(endpoints, guardedPlaces(locals, overSCTP)), endpoints.Close()); err != nil {
		return nil, err
	}
	return g, nil
}

// The registrar listens on TCP; what has ports and is not TCP has no business at its port.
var guardedProtocols = []uint8{TCP, UDP, SCTP, DCCP, UDPLite}

func guardedPlaces(locals, overSCTP []netip.AddrPort) (all []Service) {
	for _, local := range locals {
		for _, protocol := range guardedProtocols {
			if protocol != SCTP || !slices.Contains(overSCTP, local) {
				all = append(all, Service{local, protocol})
			}
		}
	}
	return all
}

// place guards these places, and takes the guard from those of an earlier configuration.
func (g *Guard) place(endpoints *endpointTable, places []Service) error {
	used, err := g.keep(endpoints, places)
	if err != nil {
		return err
	}
	rows := map[Service]uint16{}
	for row, u := range used {
		if u.kind == guarded {
			rows[u.Service] = row
		}
	}
	for _, s := range places {
		row, known := rows[s]
		if !known {
			if row, err = freeRow(g.maps, used); err != nil {
				return fmt.Errorf("guard %s: %w", s, err)
			}
			used[row] = use{s, guarded}
			if err := writeService(g.maps, row, s, guarded, Options{}); err != nil {
				return err
			}
		}
		if err := endpoints.put(endpoints.endpoint(s, guarded, row)); err != nil {
			return fmt.Errorf("guard %s: %w", s, err)
		}
	}
	return nil
}

// keep frees the rows of guarded places that are not among these. It returns the rows in use.
func (g *Guard) keep(endpoints *endpointTable, places []Service) (map[uint16]use, error) {
	used := map[uint16]use{}
	for row := range g.maps.Services.MaxEntries() {
		var at bpf.WeirService
		if err := g.maps.Services.Lookup(row, &at); err != nil {
			return nil, fmt.Errorf("read service row %d: %w", row, err)
		}
		s := Service{addrPort(at.Addr, at.Port), at.Protocol}
		switch {
		case at.Kind == 0:
		case at.Kind != guarded || slices.Contains(places, s):
			used[uint16(row)] = use{s, at.Kind}
		default:
			endpoints.remove(endpoints.endpoint(s, guarded, uint16(row)))
			if err := g.maps.Services.Put(row, bpf.WeirService{}); err != nil {
				return nil, fmt.Errorf("unguard %s: %w", s, err)
			}
		}
	}
	return used, nil
}

// Admit lets the peers' packets to local pass without spending a budget, until the given time.
func (g *Guard) Admit(local netip.AddrPort, peers []netip.AddrPort, until time.Time) error {
	expires := uint64(max(0, int64(monotonicNow())+int64(time.Until(until))))
	for _, peer := range peers {
		if err := g.maps.Admitted.Put(peerKey(local, peer), expires); err != nil {
			return fmt.Errorf("admit %s: %w", peer, err)
		}
	}
	return nil
}

// Revoke makes the peers strangers again.
func (g *Guard) Revoke(local netip.AddrPort, peers []netip.AddrPort) error {
	for _, peer := range peers {
		if err := g.maps.Admitted.Delete(peerKey(local, peer)); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("revoke %s: %w", peer, err)
		}
	}
	return nil
}

func peerKey(local, peer netip.AddrPort) bpf.WeirPeerKey {
	return bpf.WeirPeerKey{Addr: address(peer.Addr()), Port: be16(peer.Port()), LocalPort: be16(local.Port())}
}

// monotonicNow is the clock that the program's times are of, in nanoseconds.
func monotonicNow() uint64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // cannot fail for this clock
	return uint64(ts.Nano())
}

func clearMap[K, V any](m *ebpf.Map) error {
	var keys []K
	var key K
	var value V
	it := m.Iterate()
	for it.Next(&key, &value) {
		keys = append(keys, key)
	}
	if err := it.Err(); err != nil {
		return err
	}
	for _, key := range keys {
		if err := m.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return err
		}
	}
	return nil
}
