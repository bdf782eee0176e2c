// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"unsafe"

	"github.com/weir-lb/weir/bpf"
)

const (
	guarded  = uint8(bpf.WeirEndpointKindENDPOINT_GUARDED)
	serviced = uint8(bpf.WeirEndpointKindENDPOINT_SERVICE)
	server   = uint8(bpf.WeirEndpointKindENDPOINT_SERVER)
)

// endpointTable is the table of bpf/endpoint.h. It keeps nothing of its own, so that several may
// write to one, each after the other.
//
// An entry is in the first free slot from its own bucket on; how many buckets further that is, it
// says itself. It stays there until it goes: whoever looks for it while others come and go finds it.
// Look-ups end at a slot that is empty, so that one that was left becomes empty only when there is
// nothing behind it.
//
// The hints say which entries a bucket may have. They are set before an entry is there, and unset when
// it is gone: packets that find nothing there look no further.
type endpointTable struct {
	key     tupleKey
	buckets *mapped[bpf.WeirEndpointBucket]
	hints   *mapped[bpf.WeirEndpointHints]
}

func openEndpoints(m *bpf.WeirMaps) (*endpointTable, error) {
	key, err := readTupleKey(m)
	if err != nil {
		return nil, err
	}
	buckets, err := mapMemory[bpf.WeirEndpointBucket](m.Endpoints)
	if err != nil {
		return nil, err
	}
	hints, err := mapMemory[bpf.WeirEndpointHints](m.EndpointHints)
	if err != nil {
		return nil, errors.Join(err, buckets.Close())
	}
	t := &endpointTable{key: key, buckets: buckets, hints: hints}
	for bucket := range buckets.all { // an earlier version's table has none
		t.hint(bucket)
	}
	return t, nil
}

func (t *endpointTable) Close() error { return errors.Join(t.buckets.Close(), t.hints.Close()) }

// endpoint is what an entry is found by. A server's has no row.
type endpoint struct {
	hash uint64
	kind uint8
	row  uint16
}

func (t *endpointTable) endpoint(at Service, kind uint8, row uint16) endpoint {
	return endpoint{hash: t.key.hash(at.VIP, at.Protocol), kind: kind, row: row}
}

// slot is an entry, and where it is.
type slot struct {
	bpf.WeirEndpointSlot
	bucket, index int
}

const (
	endpointSlots  = len(bpf.WeirEndpointBucket{}.Slots)
	endpointProbes = int(bpf.WeirEndpointProbesENDPOINT_PROBES)
	hintBits       = 8 // HINT_BITS
)

// left is in a slot whose entry went, while there are others behind it. To the program it is a server,
// which has no flows: what answers from a place of its tag is looked up in vain.
func left() bpf.WeirEndpointSlot {
	return bpf.WeirEndpointSlot{Row: math.MaxUint16, Kind: server}
}

func isEmpty(e bpf.WeirEndpointSlot) bool { return e.Kind == 0 }

// bucket is the one so many after another, or before it.
func (t *endpointTable) bucket(from, n int) int {
	size := len(t.buckets.all)
	return ((from+n)%size + size) % size
}

// own is the first bucket that an entry of this hash may be in.
func (t *endpointTable) own(hash uint64) int { return t.bucket(int(hash>>32), 0) }

// store writes a slot at once: a packet finds the old or the new entry.
func (t *endpointTable) store(bucket, index int, e bpf.WeirEndpointSlot) {
	at := &t.buckets.all[bucket].Slots[index]
	atomic.StoreUint64((*uint64)(unsafe.Pointer(at)), *(*uint64)(unsafe.Pointer(&e)))
}

func (t *endpointTable) find(e endpoint) (slot, bool) {
	for n := range endpointProbes {
		bucket := t.bucket(t.own(e.hash), n)
		want := bpf.WeirEndpointSlot{Tag: uint32(e.hash), Row: e.row, Kind: e.kind, Probe: uint8(n)}
		for index, is := range t.buckets.all[bucket].Slots {
			if is == want {
				return slot{is, bucket, index}, true
			}
		}
	}
	return slot{}, false
}

// put adds an entry unless it is there.
func (t *endpointTable) put(e endpoint) error {
	if _, ok := t.find(e); ok {
		return nil
	}
	for n := range endpointProbes {
		bucket := t.bucket(t.own(e.hash), n)
		for index, is := range t.buckets.all[bucket].Slots {
			if isEmpty(is) || is == left() {
				t.hints.all[0].Tags[t.own(e.hash)] |= hintOf(uint32(e.hash))
				t.store(bucket, index, bpf.WeirEndpointSlot{Tag: uint32(e.hash), Row: e.row, Kind: e.kind, Probe: uint8(n)})
				return nil
			}
		}
	}
	return fmt.Errorf("the table of endpoints has no place near where this one belongs: %w", ErrFull)
}

// remove takes an entry out if it is there.
func (t *endpointTable) remove(e endpoint) {
	if at, ok := t.find(e); ok {
		t.vacate(at)
	}
}

func (t *endpointTable) vacate(at slot) {
	t.store(at.bucket, at.index, left())
	t.hint(t.bucket(at.bucket, -int(at.Probe)))
	for n := range int(at.Probe) + 1 {
		t.trim(t.bucket(at.bucket, -n))
	}
}

// hintOf is the bit of a tag.
func hintOf(tag uint32) uint8 { return 1 << (tag % hintBits) }

// hint makes a bucket's hints those of the entries that belong to it.
func (t *endpointTable) hint(own int) {
	var hints uint8
	for n := range endpointProbes {
		for _, e := range t.buckets.all[t.bucket(own, n)].Slots {
			if !isEmpty(e) && e != left() && int(e.Probe) == n {
				hints |= hintOf(e.Tag)
			}
		}
	}
	t.hints.all[0].Tags[own] = hints
}

// trim empties the slots of a bucket that were left and have nothing behind them, from the last on.
func (t *endpointTable) trim(bucket int) {
	slots := &t.buckets.all[bucket].Slots
	if !isEmpty(slots[endpointSlots-1]) && t.isPassedBy(bucket) {
		return
	}
	for index := endpointSlots - 1; index >= 0; index-- {
		switch {
		case isEmpty(slots[index]):
		case slots[index] == left():
			t.store(bucket, index, bpf.WeirEndpointSlot{})
		default:
			return
		}
	}
}

// isPassedBy says whether an entry is further on that found this bucket full.
func (t *endpointTable) isPassedBy(bucket int) bool {
	for n := 1; n < endpointProbes; n++ {
		for _, e := range t.buckets.all[t.bucket(bucket, n)].Slots {
			if int(e.Probe) >= n {
				return true
			}
		}
	}
	return false
}

// keep removes all entries but these.
func (t *endpointTable) keep(wanted map[endpoint]bool) {
	type place struct {
		bpf.WeirEndpointSlot
		own int
	}
	places := map[place]bool{}
	for e := range wanted {
		places[place{bpf.WeirEndpointSlot{Tag: uint32(e.hash), Row: e.row, Kind: e.kind}, t.own(e.hash)}] = true
	}
	for bucket := range t.buckets.all {
		for index, e := range t.buckets.all[bucket].Slots {
			is := place{e, t.bucket(bucket, -int(e.Probe))}
			is.Probe = 0
			if !isEmpty(e) && e != left() && !places[is] {
				t.vacate(slot{e, bucket, index})
			}
		}
	}
}
