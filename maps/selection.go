// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"encoding/binary"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/bpf"
)

const bpfMmapable = unix.BPF_F_MMAPABLE

// A selection table's slots lie four in a cell: the kernel rounds an array's values up to 8 bytes.
const (
	cellSlots      = len(bpf.WeirSelectionCell{}.Elements)
	cellSize       = 2 * cellSlots
	selectionCells = (SelectionSlots + cellSlots - 1) / cellSlots
)

// writeTable fills a selection table through its memory: 65,537 slots without a system call each.
func writeTable(m *ebpf.Map, table []uint16) error {
	mem, err := m.Memory()
	if err != nil {
		return fmt.Errorf("map a selection table: %w", err)
	}
	raw := make([]byte, cellSize*selectionCells)
	for i, row := range table {
		binary.NativeEndian.PutUint16(raw[2*i:], row)
	}
	if _, err := mem.WriteAt(raw, 0); err != nil {
		return fmt.Errorf("fill a selection table: %w", err)
	}
	return nil
}
