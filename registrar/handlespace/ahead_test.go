// SPDX-License-Identifier: Apache-2.0

package handlespace_test

import (
	"slices"
	"testing"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

func TestAheadNamesTheSlot(t *testing.T) {
	s, by := handlespace.New(), identity(1, "pe")
	for id := range 3 {
		mustRegister(t, s, by, "p", tcp(wire.PEID(id), 80))
	}
	var got []int
	s.Ahead("p", func(slot int) { got = append(got, slot) })
	mustRegister(t, s, by, "p", tcp(1, 80)) // nothing changes
	mustRegister(t, s, by, "p", tcp(2, 81))
	if _, err := s.Deregister(by, handlespace.Key{Pool: "p", PE: 1}); err != nil {
		t.Fatal(err)
	}
	if want := []int{2, 1}; !slices.Equal(got, want) {
		t.Errorf("slots %v, want %v", got, want)
	}
	for id := range 3 {
		s.Remove(handlespace.Key{Pool: "p", PE: wire.PEID(id)})
	}
	got = nil
	mustRegister(t, s, by, "p", tcp(1, 80))
	mustRegister(t, s, by, "p", tcp(1, 81))
	if got != nil {
		t.Errorf("a pool that left still says %v", got)
	}
}
