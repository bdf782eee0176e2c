// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"
)

// tableSwap is tables that are ready to take the place of others.
type tableSwap struct {
	services []uint32
	tables   []*ebpf.Map
	selected []selected
}

// selected is what a service's table was built of.
type selected struct {
	slots      int
	candidates []candidate
}

func (a selected) equal(b selected) bool {
	return a.slots == b.slots && slices.Equal(a.candidates, b.candidates)
}

// build adds the service's new table, unless the one that is there was built of the same.
func (s *Steering) build(to *tableSwap, service uint16, candidates []candidate) error {
	slices.SortFunc(candidates, byElement)
	want := selected{s.options[service].slots(), candidates}
	if old, ok := s.applied[service]; ok && old.equal(want) {
		return nil
	}
	s.table = slices.Grow(s.table[:0], want.slots)[:want.slots]
	s.builder.fill(s.table, candidates)
	table, err := newSelection(s.table)
	if err != nil {
		return err
	}
	to.services = append(to.services, uint32(service))
	to.tables = append(to.tables, table)
	to.selected = append(to.selected, want)
	return nil
}

// swap puts the tables in the place of the old ones, each whole, by one call.
func (s *Steering) swap(tables *tableSwap) error {
	if len(tables.services) == 0 {
		return nil
	}
	fds := make([]uint32, len(tables.tables))
	for i, table := range tables.tables {
		fds[i] = uint32(table.FD())
	}
	_, err := s.maps.Selections.BatchUpdate(tables.services, fds, nil)
	for _, table := range tables.tables {
		err = errors.Join(err, table.Close())
	}
	if err != nil {
		return fmt.Errorf("swap in selection tables: %w", err)
	}
	for i, service := range tables.services {
		s.applied[uint16(service)] = tables.selected[i]
	}
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
