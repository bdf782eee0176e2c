// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/weir-lb/weir/bpf"
)

// Mode is how a service's packets reach its elements.
type Mode uint8

const (
	NAT  = Mode(bpf.WeirModeMODE_NAT)  // destination rewritten, the way back is by the gateway
	DSR  = Mode(bpf.WeirModeMODE_DSR)  // unchanged, to the element's layer 2 address; it answers by itself
	IPIP = Mode(bpf.WeirModeMODE_IPIP) // unchanged, in an IP packet to the element; it answers by itself
	GUE  = Mode(bpf.WeirModeMODE_GUE)  // the same in UDP
)

// Fragments is what becomes of a service's fragmented packets, in both directions.
type Fragments uint8

const (
	ForwardFragments = Fragments(bpf.WeirFragmentsFRAGMENTS_FORWARD)
	DropFragments    = Fragments(bpf.WeirFragmentsFRAGMENTS_DROP)
)

func (f Fragments) String() string {
	switch f {
	case ForwardFragments:
		return "forward"
	case DropFragments:
		return "drop"
	}
	return fmt.Sprintf("fragments-%d", uint8(f))
}

// OnLoss is what becomes of a service's flows whose element is lost.
type OnLoss uint8

const (
	ResetFlows   = OnLoss(bpf.WeirOnLossLOSS_RESET)   // their clients are told
	MigrateFlows = OnLoss(bpf.WeirOnLossLOSS_MIGRATE) // their next packets choose another element
	DrainFlows   = OnLoss(bpf.WeirOnLossLOSS_DRAIN)   // they stay while the element is Draining; then as ResetFlows
)

func (l OnLoss) String() string {
	switch l {
	case ResetFlows:
		return "reset"
	case MigrateFlows:
		return "migrate"
	case DrainFlows:
		return "drain"
	}
	return fmt.Sprintf("on-loss-%d", uint8(l))
}

// GUEPort is where GUE goes if nothing else is said (IANA).
const GUEPort = 6080

// Tunnels says whether the mode puts packets into others, so that an element's address need not be of
// the service's family.
func (m Mode) Tunnels() bool { return m == IPIP || m == GUE }

// KeepsPort says whether packets reach an element at the service's own port.
func (m Mode) KeepsPort() bool { return m != NAT }

func (m Mode) String() string {
	switch m {
	case NAT:
		return "nat"
	case DSR:
		return "dsr"
	case IPIP:
		return "ipip"
	case GUE:
		return "gue"
	}
	return fmt.Sprintf("mode-%d", uint8(m))
}

// Options are how a service is served; the zero value is NAT.
type Options struct {
	Mode       Mode
	TunnelPort uint16 // GUE: the UDP port at the elements; 0: GUEPort
	Fragments  Fragments
	OnLoss     OnLoss
	Slots      int  // of its selection table, MinSlots to MaxSlots; 0: SelectionSlots
	ByClient   bool // Consistent: all flows of a client's address go to one element

	// What Apply and Restrict made of the service's row.
	spread Spread
	used   int // slots of its table that are chosen from; 0: all
	access access
}

// tunnelPort is what the rows hold.
func (o Options) tunnelPort() uint16 {
	if o.Mode != GUE {
		return 0
	}
	return be16(cmp.Or(o.TunnelPort, GUEPort))
}

func (o Options) slots() int { return cmp.Or(o.Slots, SelectionSlots) }

// configured are the options without what follows from other calls.
func (o Options) configured() Options {
	o.spread, o.used, o.access = 0, 0, 0
	return o
}

// Configure changes how a service is served, for the packets from now on. The selection has its new
// number of slots when it returns; meanwhile no packet asks for a slot that the table does not have.
func (s *Steering) Configure(service Service, o Options) error {
	id, ok := s.services[service]
	if !ok {
		return fmt.Errorf("configure %s: not a service", service)
	}
	o.Slots = o.slots()
	was := s.options[id]
	if was.configured() == o.configured() {
		return nil
	}
	o.spread, o.used, o.access = was.spread, min(was.used, o.Slots), was.access
	s.options[id] = o
	steps := []func() error{func() error { return s.writeOptions(service, id) }}
	switch {
	case o.Slots > was.slots():
		steps = slices.Insert(steps, 0, func() error { return s.reselect(service, id) })
	case o.Slots < was.slots():
		steps = append(steps, func() error { return s.reselect(service, id) })
	}
	for _, step := range steps {
		if err := step(); err != nil {
			s.options[id] = was // so that the same again tries again
			return err
		}
	}
	return nil
}

// reselect builds the service's table of what the rows say.
func (s *Steering) reselect(service Service, id uint16) error {
	var candidates []candidate
	for key, row := range s.rows {
		if key.service == id && row.takesFlows() {
			candidates = append(candidates, candidate{row: row.Index, pe: row.PE, addr: row.Addr, weight: row.Weight})
		}
	}
	var table tableSwap
	return errors.Join(s.build(&table, service, id, selected{spread: s.options[id].spread, candidates: candidates}), s.swap(&table))
}

// writeOptions writes the rows of the service and of its elements as they are to be.
func (s *Steering) writeOptions(service Service, id uint16) error {
	if err := writeService(s.maps, id, service, serviced, s.options[id]); err != nil {
		return err
	}
	for key, row := range s.rows {
		if key.service != id {
			continue
		}
		if err := s.writeRow(service, id, row, row.rowState()); err != nil {
			return err
		}
	}
	return nil
}
