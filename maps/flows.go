// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
)

// Flow is a TCP flow whose client can be told something.
type Flow struct {
	Client, VIP netip.AddrPort
}

// Flows is the flow table, through its memory. It is for one goroutine; packets meanwhile do with the
// table what they do.
type Flows struct {
	key     tupleKey
	clock   Clock
	kernel  *bpf.WeirMaps
	buckets *mapped[bpf.WeirFlowBucket]
	clients *mapped[bpf.WeirFlowClient]
}

// OpenFlows maps the flow table's memory. The settings must be written.
func OpenFlows(m *bpf.WeirMaps, c Clock) (*Flows, error) {
	key, err := readTupleKey(m)
	if err != nil {
		return nil, err
	}
	f, err := mapFlows(m.Flows, m.FlowClients)
	if err != nil {
		return nil, err
	}
	f.key, f.clock, f.kernel = key, c, m
	return f, nil
}

// mapFlows is a table's memory alone.
func mapFlows(flows, clients *ebpf.Map) (*Flows, error) {
	b, err := mapMemory[bpf.WeirFlowBucket](flows)
	if err != nil {
		return nil, err
	}
	c, err := mapMemory[bpf.WeirFlowClient](clients)
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	if len(b.all) != len(c.all) {
		return nil, errors.Join(errors.New("the flow table and its clients differ in size"), b.Close(), c.Close())
	}
	return &Flows{buckets: b, clients: c}, nil
}

// Close gives the memory back.
func (f *Flows) Close() error { return errors.Join(f.buckets.Close(), f.clients.Close()) }

// flowsPer16Buckets is how many flows a table is made for: of the 64 entries of 16 buckets at most 25
// are in use. While so many begin, one in 1,200 finds no place in either of its buckets; when so many
// are there, and others come for those that go, one in 250. At half of that it is one in 28,000.
const flowsPer16Buckets = 25

// FlowBuckets is how many buckets a table for so many flows has.
func FlowBuckets(flows uint32) uint32 {
	return uint32((uint64(flows)*16 + flowsPer16Buckets - 1) / flowsPer16Buckets)
}

// entry is one place in the table.
type entry struct {
	bucket, way int
	bpf.WeirFlow
}

// word is the second word of an entry, which changes at once.
func (f *Flows) word(bucket, way int) *uint64 {
	return (*uint64)(unsafe.Pointer(&f.buckets.all[bucket].Ways[way].Seen))
}

// readTries is how often an entry is read that is being written. A packet has that done in some
// nanoseconds.
const readTries = 1000

// read is an entry as it was at one time; false if it was being written all the while.
func (f *Flows) read(bucket, way int) (entry, bool) {
	at := &f.buckets.all[bucket].Ways[way]
	for range readTries {
		e := entry{bucket: bucket, way: way}
		e.Key = atomic.LoadUint64(&at.Key)
		*(*uint64)(unsafe.Pointer(&e.Seen)) = atomic.LoadUint64(f.word(bucket, way))
		if atomic.LoadUint64(&at.Key) == e.Key && e.state() != bpf.WeirFlowStateFLOW_BUSY {
			return e, true
		}
	}
	return entry{}, false
}

func (e *entry) state() bpf.WeirFlowState {
	return bpf.WeirFlowState(e.State & flowStateMask)
}

func (e *entry) class() bpf.WeirFlowClass {
	return bpf.WeirFlowClass(e.State >> flowClassShift % uint8(bpf.WeirFlowClassFLOW_CLASSES))
}

// used says whether a flow is there.
func (e *entry) used() bool { return e.state() >= bpf.WeirFlowStateFLOW_OPENING }

// The bits of struct flow's state (bpf/types.h).
const (
	flowStateMask  = 0x0f
	flowClassShift = 4
	flowV6         = 0x80
)

// free ends a flow, unless a packet changed its entry meanwhile. The entry then only looks free: that
// it may be empty, settle finds out.
func (f *Flows) free(e entry) bool { return f.become(e, bpf.WeirFlowStateFLOW_DEAD) }

// become gives a free or a freed entry its state, unless a packet changed it meanwhile. The version tells
// its users apart.
func (f *Flows) become(e entry, state bpf.WeirFlowState) bool {
	to := e.WeirFlow
	to.State = uint8(state)
	was, is := *(*uint64)(unsafe.Pointer(&e.Seen)), *(*uint64)(unsafe.Pointer(&to.Seen))
	return atomic.CompareAndSwapUint64(f.word(e.bucket, e.way), was, is)
}

// each calls visit for every flow. It returns false if there are entries that it could not read.
func (f *Flows) each(visit func(entry)) bool {
	all := true
	for bucket := range f.buckets.all {
		for way := range f.buckets.all[bucket].Ways {
			e, ok := f.read(bucket, way)
			all = all && ok
			if ok && e.used() {
				visit(e)
			}
		}
	}
	return all
}

// places are the buckets that a flow may be in, the second only when the first was full.
func (f *Flows) places(key uint64) []int {
	first, second := f.index(key, false), f.index(key, true)
	if first == second {
		return []int{first}
	}
	return []int{first, second}
}

// index is the first or the second bucket of a key (flow_index).
func (f *Flows) index(key uint64, second bool) int {
	half := key >> 32
	if second {
		half = key & 0xffffffff
	}
	return int(half * uint64(len(f.buckets.all)) >> 32)
}

// ToTell lists the TCP flows of an element whose clients do not know yet that they ended. Those that
// are only opening are left out: their clients send the SYN again, which chooses anew.
func (f *Flows) ToTell(row uint16) ([]Flow, error) {
	var found []Flow
	vips := map[uint16]netip.AddrPort{}
	var failed error
	f.each(func(e entry) {
		if e.Element != row || e.class() != bpf.WeirFlowClassFLOW_TCP || e.state() < bpf.WeirFlowStateFLOW_ANSWERED ||
			e.state() >= bpf.WeirFlowStateFLOW_CLOSED {
			return
		}
		vip, known := vips[e.Service]
		if !known {
			var s bpf.WeirService
			if err := f.kernel.Services.Lookup(uint32(e.Service), &s); err != nil {
				failed = fmt.Errorf("read the service of a flow: %w", err)
				return
			}
			vip = addrPort(s.Addr, s.Port)
			vips[e.Service] = vip
		}
		if client, ok := f.client(e); ok {
			found = append(found, Flow{Client: client, VIP: vip})
		}
	})
	return found, failed
}

// Elements are the rows that a client's flows from one port have, one for each service that it talks to.
func (f *Flows) Elements(client netip.AddrPort, protocol uint8) (rows []uint16) {
	key := f.key.hash(client, protocol)
	for _, bucket := range f.places(key) {
		for way := range f.buckets.all[bucket].Ways {
			if e, ok := f.read(bucket, way); ok && e.used() && e.Key == key {
				rows = append(rows, e.Element)
			}
		}
	}
	return rows
}

// client is whose flow an entry is; false if it is another's by now.
func (f *Flows) client(e entry) (netip.AddrPort, bool) {
	if e.State&flowV6 == 0 {
		client, _ := f.key.client(e.Key)
		return client, true
	}
	addr, port, ok := f.client6(e)
	return addrPort(addr, port), ok
}

// client6 is what is written of the client beside an entry; false if the entry is another's by now.
func (f *Flows) client6(e entry) (bpf.WeirAddress, uint16, bool) {
	c := &f.clients.all[e.bucket]
	addr, port := c.Addr[e.way], c.Port[e.way]
	now, ok := f.read(e.bucket, e.way)
	return addr, port, ok && now.Key == e.Key
}
