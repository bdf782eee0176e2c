// SPDX-License-Identifier: Apache-2.0

//go:build !amd64 && !arm64

package prefetch

import "unsafe"

// Line does nothing.
func Line(unsafe.Pointer) {}

// Two does nothing.
func Two(p, q unsafe.Pointer) {}

// Few does nothing.
func Few(p, q unsafe.Pointer) {}

// Of does nothing.
func Of[T any](*T) {}

// Lines does nothing.
func Lines(unsafe.Pointer) {}
