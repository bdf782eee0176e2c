// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package prefetch

import "unsafe"

// Line asks the processor to have the line of memory at p at hand soon. It is a hint, and p is not followed: whatever is
// there, or nothing, may be asked for.
//
//go:noescape
func Line(p unsafe.Pointer)

// Two is Line of both.
//
//go:noescape
func Two(p, q unsafe.Pointer)

// Lines is Line of four lines.
//
//go:noescape
func Lines(p unsafe.Pointer)

// Few is Line of two lines from p on, and of four from q on. They may go on behind what is there, where no pointer of ours may
// point to.
//
//go:noescape
func Few(p, q unsafe.Pointer)

// Of asks for all of an object of at most two lines.
func Of[T any](p *T) {
	Two(unsafe.Pointer(p), unsafe.Add(unsafe.Pointer(p), unsafe.Sizeof(*p)-1))
}
