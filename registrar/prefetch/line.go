// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package prefetch

import "unsafe"

// Line asks the processor to have the line of memory at p at hand soon. It is a hint, and p is not followed: whatever is
// there, or nothing, may be asked for.
//
//go:noescape
func Line(p unsafe.Pointer)

// Pair is Line of the line at p, and of that at q and the one after it.
//
//go:noescape
func Pair(p, q unsafe.Pointer)

// Lines is Line of four lines.
//
//go:noescape
func Lines(p unsafe.Pointer)
