// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

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

// Element is one element of a service: PE identifier and address with port name it, weight
// is its share of the new flows (0: none).
type Element struct {
	PE      uint32
	Addr    netip.AddrPort
	Weight  uint32
	State   State
	Drained bool // by an operator: no new flows; one that is active lies in the kernel as Away
	Weighed bool // the weight is an operator's
	// Until is when one that is Draining because it is lost is to be Lost, in seconds since the epoch; 0: it is
	// Draining for another reason. The agent keeps it here for its successor.
	Until uint32
}

// takesFlows says whether new flows may begin at the element.
func (e Element) takesFlows() bool { return e.State == Active && !e.Drained && e.Weight > 0 }

// rowState is what packets are to see.
func (e Element) rowState() uint8 {
	if e.State == Active && e.Drained {
		return uint8(Away)
	}
	return uint8(e.State)
}

func (e Element) flags() (flags uint8) {
	if e.Drained {
		flags |= uint8(bpf.WeirElementFlagELEMENT_DRAINED)
	}
	if e.Weighed {
		flags |= uint8(bpf.WeirElementFlagELEMENT_WEIGHED)
	}
	return flags
}

// elementOf is the element in a row.
func elementOf(e bpf.WeirElement) Element {
	return Element{
		PE: e.Pe, Addr: addrPort(e.Addr, e.Port), Weight: e.Weight, State: State(e.State), Until: e.Until,
		Drained: e.Flags&uint8(bpf.WeirElementFlagELEMENT_DRAINED) != 0,
		Weighed: e.Flags&uint8(bpf.WeirElementFlagELEMENT_WEIGHED) != 0,
	}
}

// Row is an element as it lies in the kernel.
type Row struct {
	Index uint16
	Element
}

// ErrFull says that no row is left for an element, or no place for a service.
var ErrFull = errors.New("no room left in the kernel's tables")

type rowKey struct {
	service uint16
	pe      uint32
	addr    netip.AddrPort
}

// Steering writes services, elements and selection tables. It is for one goroutine.
type Steering struct {
	maps      *bpf.WeirMaps
	endpoints *endpointTable
	services  map[Service]uint16
	options   map[uint16]Options // of each service
	rows      map[rowKey]Row
	servers   map[Service]int // how many rows answer from there
	free      []uint16        // unused rows, the lowest last
	retired   map[uint16]bool // rows that flows may still name
	applied   map[uint16]selected
	access    map[uint16]map[bpf.WeirAccessKey]bpf.WeirAccessRule // of each service
	hops      map[netip.Addr]Hop                                  // by which elements are reached
	builder   tableBuilder
	table     []uint16
}

// OpenSteering adopts what an earlier agent left in the maps: services that are still wanted
// keep their place and their elements' rows, others are removed. The settings must be written.
func OpenSteering(m *bpf.WeirMaps, services []Service) (*Steering, error) {
	endpoints, err := openEndpoints(m)
	if err != nil {
		return nil, err
	}
	s := &Steering{
		maps: m, endpoints: endpoints, services: map[Service]uint16{}, options: map[uint16]Options{}, rows: map[rowKey]Row{}, servers: map[Service]int{},
		retired: map[uint16]bool{}, applied: map[uint16]selected{}, access: map[uint16]map[bpf.WeirAccessKey]bpf.WeirAccessRule{},
	}
	if err := s.adopt(services); err != nil {
		return nil, errors.Join(err, endpoints.Close())
	}
	return s, nil
}

// Close gives up the memory that it writes to. The kernel goes on with what is there.
func (s *Steering) Close() error { return s.endpoints.Close() }

// Retired are rows whose elements are gone, and which flows may still name. When no flow does, Release
// makes them free for other elements.
func (s *Steering) Retired() map[uint16]bool { return maps.Clone(s.retired) }

// Release frees retired rows that no flow names.
func (s *Steering) Release(rows map[uint16]bool) error {
	for row := range rows {
		if !s.retired[row] {
			continue
		}
		if err := s.maps.Elements.Put(uint32(row), bpf.WeirElement{}); err != nil {
			return fmt.Errorf("free element row %d: %w", row, err)
		}
		delete(s.retired, row)
		s.free = append(s.free, row)
	}
	slices.SortFunc(s.free, func(a, b uint16) int { return int(b) - int(a) })
	return nil
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

// put writes the element's row if it differs from what is there, and returns its index.
func (s *Steering) put(service Service, id uint16, e Element) (uint16, error) {
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
	}
	row.Element = e
	if err := s.writeRow(service, id, row, e.rowState()); err != nil {
		return 0, err
	}
	if !known {
		if err := s.answer(Service{e.Addr, service.Protocol}); err != nil {
			return 0, errors.Join(err, s.writeRow(service, id, row, uint8(bpf.WeirElementStateELEMENT_FREE)))
		}
		s.free = s.free[:len(s.free)-1]
	}
	s.rows[key] = row
	return row.Index, nil
}

// answer notes that another row's element answers from there.
func (s *Steering) answer(from Service) error {
	if s.servers[from] == 0 {
		if err := s.endpoints.put(s.endpoints.endpoint(from, server, 0)); err != nil {
			return fmt.Errorf("add element %s: %w", from.VIP, err)
		}
	}
	s.servers[from]++
	return nil
}

// answerNoMore notes that a row's element is gone. Its flows' packets, if there are any, are not ours then.
func (s *Steering) answerNoMore(from Service) {
	if s.servers[from]--; s.servers[from] == 0 {
		delete(s.servers, from)
		s.endpoints.remove(s.endpoints.endpoint(from, server, 0))
	}
}

func (s *Steering) retire(service Service, key rowKey) error {
	row := s.rows[key]
	if err := s.writeRow(service, key.service, row, uint8(bpf.WeirElementStateELEMENT_FREE)); err != nil {
		return err
	}
	delete(s.rows, key)
	s.answerNoMore(Service{row.Addr, service.Protocol})
	s.retired[row.Index] = true
	return nil
}

func (s *Steering) writeRow(service Service, id uint16, row Row, state uint8) error {
	err := s.maps.Elements.Put(uint32(row.Index), bpf.WeirElement{
		Addr: address(row.Addr.Addr()), Port: be16(row.Addr.Port()), Protocol: service.Protocol, State: state,
		Pe: row.PE, Service: id, Weight: row.Weight, Mode: uint8(s.options[id].Mode), Flags: row.flags(),
		OnLoss: uint8(s.options[id].OnLoss), Until: row.Until,
		TunnelPort: s.options[id].tunnelPort(), Hop: s.hops[row.Addr.Addr()].hop(),
	})
	if err != nil {
		return fmt.Errorf("write element %s: %w", row.Addr, err)
	}
	return nil
}
