// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"fmt"
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
// says itself. So when one goes, another can be found that had to give way to it.
type endpointTable struct {
	key     tupleKey
	buckets *mapped[bpf.WeirEndpointBucket]
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
	return &endpointTable{key: key, buckets: buckets}, nil
}

func (t *endpointTable) Close() error { return t.buckets.Close() }

// endpoint is an entry, and where it is.
type endpoint struct {
	bpf.WeirEndpointSlot
	bucket, slot int
}

const (
	endpointSlots  = len(bpf.WeirEndpointBucket{}.Slots)
	endpointProbes = int(bpf.WeirEndpointProbesENDPOINT_PROBES)
)

// probe is the bucket so many after the first that an entry of this hash may be in.
func (t *endpointTable) probe(hash uint64, n int) int {
	return (int(hash>>32) + n) % len(t.buckets.all)
}

// store writes a slot at once: a packet finds the old or the new entry.
func (t *endpointTable) store(bucket, slot int, e bpf.WeirEndpointSlot) {
	at := &t.buckets.all[bucket].Slots[slot]
	atomic.StoreUint64((*uint64)(unsafe.Pointer(at)), *(*uint64)(unsafe.Pointer(&e)))
}

// find is nil if there is no such entry. A server's has no row.
func (t *endpointTable) find(hash uint64, kind uint8, row uint16) *endpoint {
	for n := range endpointProbes {
		bucket := t.probe(hash, n)
		for slot, e := range t.buckets.all[bucket].Slots {
			if e.Kind == kind && e.Row == row && e.Tag == uint32(hash) && int(e.Probe) == n {
				return &endpoint{e, bucket, slot}
			}
		}
	}
	return nil
}

// put adds an entry unless it is there.
func (t *endpointTable) put(hash uint64, kind uint8, row uint16) error {
	if t.find(hash, kind, row) != nil {
		return nil
	}
	for n := range endpointProbes {
		bucket := t.probe(hash, n)
		for slot, e := range t.buckets.all[bucket].Slots {
			if e.Kind == 0 {
				t.store(bucket, slot, bpf.WeirEndpointSlot{Tag: uint32(hash), Row: row, Kind: kind, Probe: uint8(n)})
				return nil
			}
		}
	}
	return fmt.Errorf("the table of endpoints has no place near where this one belongs: %w", ErrFull)
}

// remove takes an entry out if it is there.
func (t *endpointTable) remove(hash uint64, kind uint8, row uint16) {
	if e := t.find(hash, kind, row); e != nil {
		t.vacate(e.bucket, e.slot)
	}
}

// vacate frees a slot. A bucket's slots stay filled from the first, and an entry of a later bucket that
// could be in this one comes here: look-ups end at a bucket that is not full.
func (t *endpointTable) vacate(bucket, slot int) {
	slots := &t.buckets.all[bucket].Slots
	last := slot
	for last+1 < endpointSlots && slots[last+1].Kind != 0 {
		last++
	}
	wasFull := slots[endpointSlots-1].Kind != 0
	if last != slot { // there twice for a moment, and never missing
		t.store(bucket, slot, slots[last])
	}
	if from := t.displaced(bucket); wasFull && from != nil {
		e := from.WeirEndpointSlot
		e.Probe -= uint8((from.bucket - bucket + len(t.buckets.all)) % len(t.buckets.all))
		t.store(bucket, last, e)
		t.vacate(from.bucket, from.slot)
		return
	}
	t.store(bucket, last, bpf.WeirEndpointSlot{})
}

// displaced is an entry of a later bucket that had to give way to this one's; nil if there is none.
func (t *endpointTable) displaced(bucket int) *endpoint {
	for n := 1; n < endpointProbes; n++ {
		later := (bucket + n) % len(t.buckets.all)
		for slot, e := range t.buckets.all[later].Slots {
			if e.Kind != 0 && int(e.Probe) >= n {
				return &endpoint{e, later, slot}
			}
		}
	}
	return nil
}

// keep removes all servers but those of these hashes.
func (t *endpointTable) keep(servers map[uint64]bool) {
	type home struct {
		bucket int
		tag    uint32
	}
	wanted := map[home]bool{}
	for hash := range servers {
		wanted[home{t.probe(hash, 0), uint32(hash)}] = true
	}
	for bucket := range t.buckets.all {
		for slot := 0; slot < endpointSlots; {
			e := t.buckets.all[bucket].Slots[slot]
			own := (bucket - int(e.Probe) + len(t.buckets.all)) % len(t.buckets.all)
			if e.Kind == server && !wanted[home{own, e.Tag}] {
				t.vacate(bucket, slot) // and another may be there now
			} else {
				slot++
			}
		}
	}
}
