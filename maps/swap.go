// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"
)

// tableSwap is tables that are ready to take the place of others.
type tableSwap struct {
	services []Service
	rows     []uint32
	tables   []*ebpf.Map
	selected []selected
}

// selected is what a service's table was built of, and how many of its slots are chosen from.
type selected struct {
	spread      Spread
	slots, used int
	candidates  []candidate
}

func (a selected) equal(b selected) bool {
	return a.spread == b.spread && a.slots == b.slots && slices.Equal(a.candidates, b.candidates)
}

// build adds the service's new table, unless the one that is there was built of the same.
func (s *Steering) build(to *tableSwap, service Service, id uint16, want selected) error {
	slices.SortFunc(want.candidates, byElement)
	want.slots = s.options[id].slots()
	if old, ok := s.applied[id]; ok && old.equal(want) {
		return nil
	}
	s.table = slices.Grow(s.table[:0], want.slots)[:want.slots]
	if want.used = want.slots; want.spread == Consistent {
		s.builder.fill(s.table, want.candidates)
	} else {
		want.used = fillTurns(s.table, want.candidates)
	}
	table, err := newSelection(s.table)
	if err != nil {
		return err
	}
	to.services = append(to.services, service)
	to.rows = append(to.rows, uint32(id))
	to.tables = append(to.tables, table)
	to.selected = append(to.selected, want)
	return nil
}

// swap puts the tables in the place of the old ones, each whole, by one call.
func (s *Steering) swap(tables *tableSwap) error {
	if len(tables.rows) == 0 {
		return nil
	}
	fds := make([]uint32, len(tables.tables))
	for i, table := range tables.tables {
		fds[i] = uint32(table.FD())
	}
	_, err := s.maps.Selections.BatchUpdate(tables.rows, fds, nil)
	for _, table := range tables.tables {
		err = errors.Join(err, table.Close())
	}
	if err != nil {
		return fmt.Errorf("swap in selection tables: %w", err)
	}
	var errs []error
	for i, row := range tables.rows {
		id := uint16(row)
		s.applied[id] = tables.selected[i]
		errs = append(errs, s.chooseFrom(tables.services[i], id, tables.selected[i]))
	}
	return errors.Join(errs...)
}

// chooseFrom writes into the service's row how its table is to be chosen from, if that is new. A packet that
// comes between the swap and this chooses in the old way from the new table, among the same elements.
func (s *Steering) chooseFrom(service Service, id uint16, table selected) error {
	o := s.options[id]
	if o.spread == table.spread && cmp.Or(o.used, o.slots()) == table.used {
		return nil
	}
	o.spread, o.used = table.spread, table.used
	if err := writeService(s.maps, id, service, serviced, o); err != nil {
		delete(s.applied, id) // so that the same again tries again
		return err
	}
	s.options[id] = o
	return nil
}

// deselect takes a row's table away, if there is one.
func (s *Steering) deselect(service uint16) error {
	delete(s.applied, service)
	if err := s.maps.Selections.Delete(uint32(service)); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("remove a selection table: %w", err)
	}
	return nil
}
