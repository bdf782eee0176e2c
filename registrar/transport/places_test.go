// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"testing"
)

func TestPlaces(t *testing.T) {
	p := newPlaces(2)
	var evicted [4]error
	var leave [4]func() bool
	for i := range leave {
		leave[i] = p.take(func(cause error) { evicted[i] = cause })
	}
	if want := [4]error{errTooMany, errTooMany}; evicted != want {
		t.Errorf("evicted: %v", evicted)
	}
	for i, want := range []bool{false, false, true, true} {
		if leave[i]() != want {
			t.Errorf("connection %d held its place: %v", i, !want)
		}
		if leave[i]() {
			t.Errorf("connection %d left twice", i)
		}
	}
}
