// SPDX-License-Identifier: Apache-2.0

package prefetch_test

import (
	"testing"
	"unsafe"

	"github.com/weir-lb/weir/registrar/prefetch"
)

// TestAnyPlace: a place may be asked for whatever is there, even if it is nowhere, or the last byte that there is.
func TestAnyPlace(t *testing.T) {
	b := []byte{1, 2, 3}
	for _, p := range []unsafe.Pointer{nil, unsafe.Pointer(&b[2])} {
		prefetch.Line(p)
		prefetch.Two(p, p)
		prefetch.Lines(p)
		prefetch.Few(p, p)
	}
	prefetch.Of(&[3]uint64{})
	if b[0] != 1 || b[1] != 2 || b[2] != 3 {
		t.Errorf("%v was changed", b)
	}
}
