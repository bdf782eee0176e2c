// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"fmt"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// mapped is the memory of an array map, which programs read and write meanwhile.
type mapped[T any] struct {
	raw []byte
	all []T
}

// mapMemory maps an array of T that was made with BPF_F_MMAPABLE.
func mapMemory[T any](m *ebpf.Map) (*mapped[T], error) {
	var one T
	if uint32(unsafe.Sizeof(one)) != m.ValueSize() {
		return nil, fmt.Errorf("map the memory of %s: its values have %d bytes, want %d", m, m.ValueSize(), unsafe.Sizeof(one))
	}
	raw, err := unix.Mmap(m.FD(), 0, int(m.ValueSize())*int(m.MaxEntries()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map the memory of %s: %w", m, err)
	}
	return &mapped[T]{raw: raw, all: unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(raw))), m.MaxEntries())}, nil
}

// Close gives the memory back; all must not be used any more.
func (m *mapped[T]) Close() error {
	m.all = nil
	return unix.Munmap(m.raw)
}
