// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package policy

import "unsafe"

// fetch asks the processor to have the memory at p at hand soon. It is a hint, and p is not followed: whatever is there, or
// nothing, may be asked for. In a pool that is larger than the caches a resolution would otherwise wait for memory several
// times over; who comes next is known, or drawn, some resolutions ahead.
//
//go:noescape
func fetch(p unsafe.Pointer)

// fetchSome is fetch of four lines of memory, which is what an element takes.
//
//go:noescape
func fetchSome(p unsafe.Pointer)
