// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"encoding/binary"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

const bpfMmapable = unix.BPF_F_MMAPABLE

// slotStride is the distance of two slots in a mapped table: the kernel rounds values up to 8.
const slotStride = 8

// writeTable fills a selection table through its memory: 65,537 slots without a system call each.
func writeTable(m *ebpf.Map, table []uint32) error {
	mem, err := m.Memory()
	if err != nil {
		return fmt.Errorf("map a selection table: %w", err)
	}
	raw := make([]byte, slotStride*len(table))
	for i, row := range table {
		binary.NativeEndian.PutUint32(raw[slotStride*i:], row)
	}
	if _, err := mem.WriteAt(raw, 0); err != nil {
		return fmt.Errorf("fill a selection table: %w", err)
	}
	return nil
}
