// SPDX-License-Identifier: Apache-2.0

package handlespace

import (
	"math/rand/v2"
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
)

// TestIndexAgainstMap adds and removes at random, more than are removed at first and fewer at last, so that it grows, is full,
// and is empty again.
func TestIndexAgainstMap(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		x, want := newIndex(), map[wire.PEID]uint32{}
		ids := wire.PEID(1 + rnd.IntN(3000))
		for step := range 20_000 {
			id := wire.PEID(rnd.Uint32N(uint32(ids)))
			if _, in := want[id]; in && rnd.IntN(20_000) < step {
				x.remove(x.find(id))
				delete(want, id)
			} else if !in && rnd.IntN(20_000) >= step {
				want[id] = rnd.Uint32()>>1 + 1
				x.entries[x.add(id, want[id])].print = fingerprint(want[id]) + 1
			}
			if step%1000 == 0 {
				checkIndex(t, &x, want, ids)
			}
		}
		for id := range want {
			x.remove(x.find(id))
			delete(want, id)
		}
		checkIndex(t, &x, want, ids)
	}
}

func checkIndex(t *testing.T, x *index, want map[wire.PEID]uint32, ids wire.PEID) {
	t.Helper()
	if x.n != len(want) {
		t.Fatalf("%d identifiers, want %d", x.n, len(want))
	}
	for id := range ids {
		slot, in := want[id]
		switch at := x.find(id); {
		case (at >= 0) != in:
			t.Fatalf("%v is found: %v, want %v", id, at >= 0, in)
		case in && (x.slot(at) != slot || x.entries[at].print != fingerprint(slot)+1):
			t.Fatalf("%v has slot %d and %+v, want slot %d", id, x.slot(at), x.entries[at], slot)
		}
	}
	taken := 0
	for at, k := range x.keys {
		if k.at != 0 {
			taken++
		} else if x.entries[at] != (entry{}) {
			t.Fatalf("where no identifier is, is %+v", x.entries[at])
		}
	}
	if taken != len(want) || taken > len(x.keys)*4/5 {
		t.Fatalf("%d of %d keys are taken, want %d and at most four fifths", taken, len(x.keys), len(want))
	}
}

// TestIndexChosenIdentifiers has identifiers as somebody would choose them who knows how the index works, but not its
// secret: on the average no search is longer than of random ones.
func TestIndexChosenIdentifiers(t *testing.T) {
	const n = 50_000
	tests := []struct {
		name string
		id   func(i uint32) uint32
	}{
		{"one after the other", func(i uint32) uint32 { return i }},
		{"equal low bits", func(i uint32) uint32 { return i << 16 }},
		{"equal low and high bits", func(i uint32) uint32 { return i << 8 & 0xffffff }},
		{"multiples of the golden ratio", func(i uint32) uint32 { return i * 2654435769 }},
		{"its inverse", func(i uint32) uint32 { return i * 340573321 }},
		{"few bits", func(i uint32) uint32 { return i&0xff | i>>8<<20 }},
		{"the same from both ends", func(i uint32) uint32 { return i ^ i<<16 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 5 { // secrets
				x, in := newIndex(), map[uint32]bool{}
				for i := range uint32(n) {
					if id := tt.id(i); !in[id] {
						in[id] = true
						x.add(wire.PEID(id), i)
					}
				}
				if mean := x.meanSearch(); mean > 4 { // of random identifiers it is 3 when four fifths are taken
					t.Errorf("a search takes %.1f entries on the average", mean)
				}
			}
		})
	}
}

// meanSearch is how many entries a search for one that is in looks at.
func (x *index) meanSearch() float64 {
	total := 0
	for at, k := range x.keys {
		if k.at != 0 {
			total += (at-x.start(k.id))&(len(x.keys)-1) + 1
		}
	}
	return float64(total) / float64(x.n)
}
