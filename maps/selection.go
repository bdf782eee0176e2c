// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/bpf"
)

// A selection table's slots lie four in a cell: the kernel rounds an array's values up to 8 bytes.
const cellSlots = len(bpf.WeirSelectionCell{}.Elements)

// newSelection makes a selection table, filled through its memory: 65,537 slots without a system call each.
func newSelection(table []uint16) (*ebpf.Map, error) {
	inner, err := ebpf.NewMap(&ebpf.MapSpec{
		Name: "selection", Type: ebpf.Array, KeySize: 4, ValueSize: uint32(2 * cellSlots),
		MaxEntries: uint32((len(table) + cellSlots - 1) / cellSlots), Flags: unix.BPF_F_MMAPABLE | unix.BPF_F_INNER_MAP,
	})
	if err != nil {
		return nil, fmt.Errorf("create a selection table: %w", err)
	}
	cells, err := mapMemory[bpf.WeirSelectionCell](inner)
	if err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	for i, row := range table {
		cells.all[i/cellSlots].Elements[i%cellSlots] = row
	}
	if err := cells.Close(); err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	return inner, nil
}

// Selection is what new flows of a service choose from.
type Selection struct {
	Service  Service
	Elements []Element
	Spread   Spread
}

// Apply makes elements all that the service has, spread as before; see ApplyAll.
func (s *Steering) Apply(service Service, elements []Element) error {
	return s.ApplyAll([]Selection{{service, elements, s.Spread(service)}})
}

// Spread is how the service's table is chosen from.
func (s *Steering) Spread(service Service) Spread { return s.options[s.services[service]].spread }

// Row is the service's row, which its flows name; 0: none.
func (s *Steering) Row(service Service) uint16 { return s.services[service] }

// Chosen is how many flows the service's elements were given, by row, since the maps were made. It is counted
// where the spread is not Consistent.
func (s *Steering) Chosen(service Service) (map[uint16]uint64, error) {
	flows := map[uint16]uint64{}
	for _, row := range s.Rows(service) {
		var cores []uint64
		if err := s.maps.Chosen.Lookup(uint32(row.Index), &cores); err != nil {
			return nil, fmt.Errorf("read what %s was given: %w", row.Addr, err)
		}
		for _, n := range cores {
			flows[row.Index] += n
		}
	}
	return flows, nil
}

// swapAtOnce is how many tables are built before they are swapped in. The kernel waits for its readers
// once a swap, for some milliseconds; so many tables of the usual size are 32 MB.
const swapAtOnce = 256

// ApplyAll makes the elements of each selection all that its service has. Elements that take no more
// flows are marked first, so that the old tables already avoid them; new rows are written before tables
// are swapped, and rows that are not named are freed after it. ErrFull leaves out the elements that
// found no row, and applies the others.
func (s *Steering) ApplyAll(all []Selection) error {
	var errs []error
	for len(all) > 0 {
		n := min(len(all), swapAtOnce)
		errs = append(errs, s.applySome(all[:n]))
		all = all[n:]
	}
	return errors.Join(errs...)
}

func (s *Steering) applySome(some []Selection) error {
	var errs []error
	staged := map[uint16]stagedRows{}
	tables := tableSwap{}
	for _, selection := range some {
		id, ok := s.services[selection.Service]
		if !ok {
			errs = append(errs, fmt.Errorf("apply to %s: not a service", selection.Service))
			continue
		}
		rows, err := s.stage(selection, id)
		errs = append(errs, err)
		staged[id] = rows
		errs = append(errs, s.build(&tables, selection.Service, id, selected{spread: selection.Spread, candidates: rows.candidates}))
	}
	if err := s.swap(&tables); err != nil {
		return errors.Join(append(errs, err)...)
	}
	return errors.Join(append(errs, s.retireOthers(staged))...)
}

// stagedRows are what a service's table is to name.
type stagedRows struct {
	service    Service
	wanted     map[rowKey]bool
	candidates []candidate
}

// stage writes the rows of a selection's elements.
func (s *Steering) stage(selection Selection, id uint16) (stagedRows, error) {
	staged := stagedRows{service: selection.Service, wanted: map[rowKey]bool{}}
	var errs []error
	for _, e := range selection.Elements {
		row, err := s.put(selection.Service, id, e)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		staged.wanted[rowKey{id, e.PE, e.Addr}] = true
		if e.takesFlows() {
			staged.candidates = append(staged.candidates, candidate{row: row, pe: e.PE, addr: e.Addr, weight: e.Weight})
		}
	}
	return staged, errors.Join(errs...)
}

// retireOthers retires the rows of these services that their tables do not name any more.
func (s *Steering) retireOthers(staged map[uint16]stagedRows) error {
	var errs []error
	for key := range s.rows {
		if of, ok := staged[key.service]; ok && !of.wanted[key] {
			errs = append(errs, s.retire(of.service, key))
		}
	}
	return errors.Join(errs...)
}
