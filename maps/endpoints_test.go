// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weir-lb/weir/bpf"
)

// tinyTable is one in plain memory.
func tinyTable(buckets int) *endpointTable {
	return &endpointTable{
		key: newTupleKey(), buckets: &mapped[bpf.WeirEndpointBucket]{all: make([]bpf.WeirEndpointBucket, buckets)},
		hints: &mapped[bpf.WeirEndpointHints]{all: make([]bpf.WeirEndpointHints, 1)},
	}
}

func (t *endpointTable) snapshot() endpointReader { return slices.Clone(endpointReader(t.buckets.all)) }

// live counts the entries of a bucket.
func live(b bpf.WeirEndpointBucket) (n int) {
	for _, e := range b.Slots {
		if e.Kind != 0 && e.Row != 0xffff {
			n++
		}
	}
	return n
}

// hasFound says whether a packet to, or from, a place of this hash finds one of its endpoints. Of servers
// the program asks no more than whether there is one.
func hasFound(r endpointReader, wanted map[endpoint]bool, hash uint64, answers bool) bool {
	e, ok := r.find(hash, answers)
	return ok && e.Tag == uint32(hash) && (answers || wanted[endpoint{hash, e.Kind, e.Row}])
}

// scan is what a packet may see that looks while the table changes from one state to the other: of every
// slot the old entry, the new one, or what is left in between.
func scan(random *rand.Rand, before, after endpointReader) endpointReader {
	seen := slices.Clone(after)
	for bucket := range seen {
		for index := range seen[bucket].Slots {
			is := &seen[bucket].Slots[index]
			if was := before[bucket].Slots[index]; *is != was {
				choices := []bpf.WeirEndpointSlot{was, *is}
				if was.Kind != 0 && is.Kind == 0 {
					choices = append(choices, left())
				}
				*is = choices[random.IntN(len(choices))]
			}
		}
	}
	return seen
}

// somewhere is an endpoint whose first bucket is one of a few, and whose tag no other place has. Some
// places are both guarded and a service, as they are for a moment when they change hands.
func somewhere(random *rand.Rand, buckets, places int) endpoint {
	place := random.IntN(places)
	home := uint64(place*place) % uint64(buckets)
	e := endpoint{hash: (home+uint64(buckets)*uint64(place%3))<<32 | uint64(place), kind: serviced, row: uint16(place + 1)}
	switch random.IntN(4) {
	case 0:
		e.kind, e.row = server, 0
	case 1:
		e.kind = guarded
	}
	return e
}

// endpointTest is a table, what it must have, and what a packet sees of each change.
type endpointTest struct {
	*testing.T
	*endpointTable
	random *rand.Rand
	model  map[endpoint]bool
}

// during does something to the table, and checks that nothing is missing meanwhile that is there before and
// after it, and that all is there then.
func (t *endpointTest) during(what string, do func()) {
	t.Helper()
	before, had := t.snapshot(), maps.Clone(t.model)
	do()
	after := t.snapshot()
	for range 8 {
		seen := scan(t.random, before, after)
		for e := range t.model {
			if had[e] && !hasFound(seen, had, e.hash, e.kind == server) && !hasFound(seen, t.model, e.hash, e.kind == server) {
				t.Fatalf("%s: %x is missing meanwhile", what, e)
			}
		}
	}
	t.check(what)
}

func (t *endpointTest) check(what string) {
	t.Helper()
	n := 0
	for _, b := range t.buckets.all {
		n += live(b)
	}
	if n != len(t.model) {
		t.Fatalf("%s: the table has %d entries, want %d", what, n, len(t.model))
	}
	for e := range t.model {
		if _, ok := t.find(e); !ok || !hasFound(t.snapshot(), t.model, e.hash, e.kind == server) {
			t.Fatalf("%s: %x is not found", what, e)
		}
	}
	if got, want := t.hints.all[0], hintsOf(t.model, len(t.buckets.all)); got != want {
		t.Fatalf("%s: the hints are %x, want %x", what, got.Tags[:len(t.buckets.all)], want.Tags[:len(t.buckets.all)])
	}
}

// hintsOf are those that a table of so many buckets must have with these entries.
func hintsOf(entries map[endpoint]bool, buckets int) (h bpf.WeirEndpointHints) {
	for e := range entries {
		h.Tags[e.hash>>32%uint64(buckets)] |= 1 << (e.hash % 8)
	}
	return h
}

// A table of an earlier version has no hints, or those of another table.
func TestHintsAreMadeOfEntries(t *testing.T) {
	m := newMaps(t)
	table, err := openEndpoints(m)
	must(t, err)
	e := table.endpoint(web(), serviced, 1)
	must(t, table.put(e))
	for i := range table.buckets.all {
		table.hints.all[0].Tags[i] = uint8(i)
	}
	must(t, table.Close())

	table, err = openEndpoints(m)
	must(t, err)
	if want := hintsOf(map[endpoint]bool{e: true}, len(table.buckets.all)); table.hints.all[0] != want {
		t.Error("the hints are not those of the entries")
	}
	must(t, table.Close())
}

func (t *endpointTest) tryPut(e endpoint) {
	t.Helper()
	before := t.snapshot()
	var err error
	t.during("put", func() {
		if err = t.put(e); err == nil {
			t.model[e] = true
		}
	})
	if err == nil {
		return
	}
	if !errors.Is(err, ErrFull) || !slices.Equal(t.snapshot(), before) {
		t.Fatalf("put %x: %v; the table changed: %t", e, err, !slices.Equal(t.snapshot(), before))
	}
	for n := range uint64(4) {
		if b := before[(e.hash>>32+n)%uint64(len(before))]; live(b) < len(b.Slots) {
			t.Fatalf("put %x: %v, and bucket %d from its own on has a place", e, err, n)
		}
	}
}

func TestEndpointTable(t *testing.T) {
	for _, tt := range []struct{ buckets, places, steps int }{
		{4, 60, 4000}, // overflows, and is full at times
		{4, 12, 2000}, // one bucket and a half
		{8, 60, 3000},
		{64, 20, 2000}, // nothing overflows but what has the same bucket
	} {
		seed := rand.NewPCG(uint64(tt.buckets), uint64(tt.places))
		test := endpointTest{t, tinyTable(tt.buckets), rand.New(seed), map[endpoint]bool{}}
		for range tt.steps {
			e := somewhere(test.random, tt.buckets, tt.places)
			if test.random.IntN(5) < 3 {
				test.tryPut(e)
			} else {
				test.during("remove", func() { test.remove(e); delete(test.model, e) })
			}
		}
		test.during("keep every other one", func() {
			for e := range test.model {
				if test.random.IntN(2) == 0 {
					delete(test.model, e)
				}
			}
			test.keep(test.model)
		})
		for e := range maps.Clone(test.model) {
			test.during("remove", func() { test.remove(e); delete(test.model, e) })
		}
		for bucket, b := range test.buckets.all {
			if b != (bpf.WeirEndpointBucket{}) {
				t.Errorf("%d buckets: nothing is left but %+v in bucket %d", tt.buckets, b, bucket)
			}
		}
	}
}

// All places have one bucket: four times eight are there, and the next one is told so.
func TestEndpointsOfOneBucket(t *testing.T) {
	test := endpointTest{t, tinyTable(64), rand.New(rand.NewPCG(1, 2)), map[endpoint]bool{}}
	const home = 62 << 32 // near the end: the table goes on at its beginning
	for tag := range uint64(32) {
		test.tryPut(endpoint{home | tag, serviced, uint16(tag + 1)})
	}
	if len(test.model) != 32 {
		t.Fatalf("%d entries, want 32", len(test.model))
	}
	test.tryPut(endpoint{home | 99, serviced, 99})
	if len(test.model) != 32 {
		t.Error("a 33rd entry has a place")
	}
	for tag := range uint64(31) { // the last one stays, behind all others
		e := endpoint{home | tag, serviced, uint16(tag + 1)}
		test.during("remove", func() { test.remove(e); delete(test.model, e) })
	}
	test.tryPut(endpoint{home | 99, serviced, 99})
	if at, ok := test.find(endpoint{home | 99, serviced, 99}); !ok || at.Probe != 0 {
		t.Errorf("a new entry is at %+v, want it in its own bucket", at)
	}
}

// What the table's key gives is what a packet looks for.
func TestEndpointIsFoundByItsPlace(t *testing.T) {
	table := tinyTable(128)
	for i, at := range tuples(100) {
		e := table.endpoint(at, serviced, uint16(i+1))
		must(t, table.put(e))
		found, ok := table.snapshot().find(modelHash(table.key, at.VIP, at.Protocol), false)
		if !ok || found.Row != uint16(i+1) {
			t.Errorf("%s: found %+v, want row %d", at, found, i+1)
		}
	}
}
