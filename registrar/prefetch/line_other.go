// SPDX-License-Identifier: Apache-2.0

//go:build !amd64 && !arm64

package prefetch

import "unsafe"

// Line does nothing.
func Line(unsafe.Pointer) {}

// Pair does nothing.
func Pair(p, q unsafe.Pointer) {}

// Lines does nothing.
func Lines(unsafe.Pointer) {}
