// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
)

// State is what an element may still get.
type State uint8

const (
	Lost     = State(bpf.WeirElementStateELEMENT_LOST)     // nothing: its clients are reset
	Draining = State(bpf.WeirElementStateELEMENT_DRAINING) // the flows that it has
	Away     = State(bpf.WeirElementStateELEMENT_AWAY)     // the same, until it is back or lost
	Active   = State(bpf.WeirElementStateELEMENT_ACTIVE)   // new flows too
)

func (s State) String() string {
	switch s {
	case Active:
		return "active"
	case Away:
		return "away"
	case Draining:
		return "draining"
	case Lost:
		return "lost"
	}
	return fmt.Sprintf("state-%d", uint8(s))
}

// Element is one element of a service: PE identifier and IPv4 address with port name it, weight
// is its share of the new flows (0: none).
type Element struct {
	PE     uint32
	Addr   netip.AddrPort
	Weight uint32
	State  State
}

// Row is an element as it lies in the kernel.
type Row struct {
	Index uint32
	Element
	Generation uint32
}

// ErrFull says that no row is left for an element, or no place for a service.
var ErrFull = errors.New("no room left in the kernel's tables")

type rowKey struct {
	service uint32
	pe      uint32
	addr    netip.AddrPort
}

// Steering writes services, elements and selection tables. It is for one goroutine.
type Steering struct {
	maps     *bpf.WeirMaps
	services map[Service]uint32
	rows     map[rowKey]Row
	free     []uint32          // unused rows, the lowest last
	gens     map[uint32]uint32 // last generation of each row ever used
	applied  map[uint32][]candidate
	table    []uint32
}

// OpenSteering adopts what an earlier agent left in the maps: services that are still wanted
// keep their place and their elements' rows, others are removed.
func OpenSteering(m *bpf.WeirMaps, services []Service) (*Steering, error) {
	s := &Steering{
		maps: m, services: map[Service]uint32{}, rows: map[rowKey]Row{}, gens: map[uint32]uint32{},
		applied: map[uint32][]candidate{}, table: make([]uint32, SelectionSlots),
	}
	kept, err := s.adoptServices(services)
	if err != nil {
		return nil, err
	}
	if err := s.adoptRows(kept); err != nil {
		return nil, err
	}
	return s, s.addServices(services, kept)
}

// Rows lists a service's elements as they lie in the kernel, by row.
func (s *Steering) Rows(service Service) []Row {
	id, ok := s.services[service]
	if !ok {
		return nil
	}
	var rows []Row
	for key, row := range s.rows {
		if key.service == id {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b Row) int { return int(a.Index) - int(b.Index) })
	return rows
}

// Apply makes elements all that the service has. Elements that take no more flows are marked
// first, so that the old table already avoids them; new rows are written before the table is
// swapped, and rows that elements does not name are freed after it. ErrFull leaves out the
// elements that found no row, and applies the others.
func (s *Steering) Apply(service Service, elements []Element) error {
	id, ok := s.services[service]
	if !ok {
		return fmt.Errorf("apply to %s: not a service", service)
	}
	wanted := map[rowKey]bool{}
	var candidates []candidate
	var errs []error
	for _, e := range elements {
		row, err := s.put(service, id, e)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		wanted[rowKey{id, e.PE, e.Addr}] = true
		if e.State == Active && e.Weight > 0 {
			candidates = append(candidates, candidate{row: row, pe: e.PE, addr: e.Addr, weight: e.Weight})
		}
	}
	if err := s.swap(id, candidates); err != nil {
		return errors.Join(append(errs, err)...)
	}
	for key := range maps.Clone(s.rows) {
		if key.service == id && !wanted[key] {
			errs = append(errs, s.retire(service, key))
		}
	}
	return errors.Join(errs...)
}

// put writes the element's row if it differs from what is there, and returns its index.
func (s *Steering) put(service Service, id uint32, e Element) (uint32, error) {
	key := rowKey{id, e.PE, e.Addr}
	row, known := s.rows[key]
	if known && row.Element == e {
		return row.Index, nil
	}
	if !known {
		if len(s.free) == 0 {
			return 0, fmt.Errorf("add element %s: %w", e.Addr, ErrFull)
		}
		row.Index = s.free[len(s.free)-1]
		s.free = s.free[:len(s.free)-1]
		row.Generation = s.gens[row.Index] + 1
		s.gens[row.Index] = row.Generation
	}
	row.Element = e
	if err := s.writeRow(service, id, row, uint8(e.State)); err != nil {
		return 0, err
	}
	s.rows[key] = row
	return row.Index, nil
}

func (s *Steering) retire(service Service, key rowKey) error {
	row := s.rows[key]
	if err := s.writeRow(service, key.service, row, uint8(bpf.WeirElementStateELEMENT_FREE)); err != nil {
		return err
	}
	delete(s.rows, key)
	s.free = append(s.free, row.Index)
	return nil
}

func (s *Steering) writeRow(service Service, id uint32, row Row, state uint8) error {
	err := s.maps.Elements.Put(row.Index, bpf.WeirElement{
		Addr: be32(row.Addr.Addr()), Port: be16(row.Addr.Port()), Protocol: service.Protocol, State: state,
		Pe: row.PE, Service: id, Generation: row.Generation, Weight: row.Weight,
	})
	if err != nil {
		return fmt.Errorf("write element %s: %w", row.Addr, err)
	}
	return nil
}

// swap builds the service's table and puts it in place of the old one, whole, unless the
// candidates are those of the table that is there.
func (s *Steering) swap(service uint32, candidates []candidate) error {
	slices.SortFunc(candidates, byElement)
	if old, ok := s.applied[service]; ok && slices.Equal(old, candidates) {
		return nil
	}
	fill(s.table, candidates)
	inner, err := ebpf.NewMap(&ebpf.MapSpec{
		Name: "selection", Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: SelectionSlots, Flags: bpfMmapable,
	})
	if err != nil {
		return fmt.Errorf("create a selection table: %w", err)
	}
	defer inner.Close()
	if err := writeTable(inner, s.table); err != nil {
		return err
	}
	if err := s.maps.Selections.Put(service, inner); err != nil {
		return fmt.Errorf("swap in a selection table: %w", err)
	}
	s.applied[service] = candidates
	return nil
}
