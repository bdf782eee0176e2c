// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
)

// Timeouts are how long a flow may be silent, in both directions, before it is forgotten.
type Timeouts struct {
	TCP     time.Duration // established
	Opening time.Duration // the element has not answered, or the client not the element
	Closing time.Duration // FIN from both sides, or a RST
	UDP     time.Duration // established; of SCTP and DCCP too
}

// states are the timeouts by class and state of flows, as the program has them.
func (t Timeouts) states(c Clock) (all [bpf.WeirFlowClassFLOW_CLASSES][bpf.WeirFlowStateFLOW_STATES]uint16) {
	for class := range all {
		established := t.UDP
		if class == int(bpf.WeirFlowClassFLOW_TCP) {
			established = t.TCP
		}
		for state, d := range map[bpf.WeirFlowState]time.Duration{
			bpf.WeirFlowStateFLOW_OPENING: t.Opening, bpf.WeirFlowStateFLOW_ANSWERED: t.Opening,
			bpf.WeirFlowStateFLOW_ESTABLISHED: established, bpf.WeirFlowStateFLOW_CLIENT_CLOSED: established,
			bpf.WeirFlowStateFLOW_ELEMENT_CLOSED: established,
			bpf.WeirFlowStateFLOW_CLOSED:         t.Closing, bpf.WeirFlowStateFLOW_RESET: t.Closing,
		} {
			all[class][state] = c.ticks(d)
		}
	}
	return all
}

// Flow is a TCP flow whose client can be told something.
type Flow struct {
	Client, VIP netip.AddrPort
}

// Sweep is what one pass over the flow table found.
type Sweep struct {
	Flows   map[uint16]uint64 // live flows of each element, by its row
	Expired uint64            // flows removed
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

// flowsPerBucket is how many flows the table is made for, of each 16 buckets: of 64 entries at most
// 25 are in use, so that one flow in 2,500 finds no place in either of its buckets.
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

// read is an entry as it was at one time; false if it was being written.
func (f *Flows) read(bucket, way int) (e entry, ok bool) {
	at := &f.buckets.all[bucket].Ways[way]
	e.bucket, e.way = bucket, way
	e.Key = atomic.LoadUint64(&at.Key)
	*(*uint64)(unsafe.Pointer(&e.Seen)) = atomic.LoadUint64(f.word(bucket, way))
	return e, atomic.LoadUint64(&at.Key) == e.Key && e.state() != bpf.WeirFlowStateFLOW_BUSY
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
func (f *Flows) free(e entry) bool {
	dead := e.WeirFlow
	dead.State = uint8(bpf.WeirFlowStateFLOW_DEAD)
	return f.swap(e, dead)
}

func (f *Flows) swap(e entry, to bpf.WeirFlow) bool {
	was, is := *(*uint64)(unsafe.Pointer(&e.Seen)), *(*uint64)(unsafe.Pointer(&to.Seen))
	return atomic.CompareAndSwapUint64(f.word(e.bucket, e.way), was, is)
}

// each calls visit for every flow.
func (f *Flows) each(visit func(entry)) {
	for bucket := range f.buckets.all {
		for way := range f.buckets.all[bucket].Ways {
			if e, ok := f.read(bucket, way); ok && e.used() {
				visit(e)
			}
		}
	}
}

// Sweep counts the live flows of each element, and ends those that were silent for too long and those
// of rows that are gone.
func (f *Flows) Sweep(gone map[uint16]bool) (Sweep, error) {
	s := Sweep{Flows: map[uint16]uint64{}}
	var p bpf.WeirParameters
	if err := f.kernel.Settings.Lookup(uint32(0), &p); err != nil {
		return s, fmt.Errorf("read the settings: %w", err)
	}
	now, err := f.clock.tick()
	if err != nil {
		return s, err
	}
	displaced := map[int]bool{}
	f.each(func(e entry) {
		idle := int16(now - e.Seen)
		switch {
		case gone[e.Element]:
			f.free(e)
			return
		case e.state() < bpf.WeirFlowStateFLOW_STATES && int(idle) > int(p.Timeouts[e.class()][e.state()]):
			if f.free(e) {
				s.Expired++
				return
			}
		case e.state() != bpf.WeirFlowStateFLOW_RESET:
			s.Flows[e.Element]++
		}
		if first := f.index(e.Key, false); first != e.bucket {
			displaced[first] = true
		}
	})
	f.settle(displaced)
	return s, nil
}

// index is the first or the second bucket of a key (flow_index).
func (f *Flows) index(key uint64, second bool) int {
	half := key >> 32
	if second {
		half = key & 0xffffffff
	}
	return int(half * uint64(len(f.buckets.all)) >> 32)
}

// settle makes dead entries empty, where no flow had to go to its second bucket: look-ups end at a
// bucket that has an empty entry. One that goes there in this moment is found no more, and its next
// packet chooses anew.
func (f *Flows) settle(displaced map[int]bool) {
	for bucket := range f.buckets.all {
		if displaced[bucket] {
			continue
		}
		for way := range f.buckets.all[bucket].Ways {
			if e, ok := f.read(bucket, way); ok && e.state() == bpf.WeirFlowStateFLOW_DEAD {
				empty := e.WeirFlow
				empty.State = uint8(bpf.WeirFlowStateFLOW_EMPTY)
				f.swap(e, empty)
			}
		}
	}
}

// ToTell lists the TCP flows of an element whose clients do not know yet that they ended. Those that
// are only opening are left out: their clients send the SYN again, which chooses anew.
func (f *Flows) ToTell(row uint16) ([]Flow, error) {
	var found []Flow
	var s bpf.WeirService
	var failed error
	f.each(func(e entry) {
		if e.Element != row || e.class() != bpf.WeirFlowClassFLOW_TCP || e.state() < bpf.WeirFlowStateFLOW_ANSWERED ||
			e.state() >= bpf.WeirFlowStateFLOW_CLOSED {
			return
		}
		if err := f.kernel.Services.Lookup(uint32(e.Service), &s); err != nil {
			failed = fmt.Errorf("read the service of a flow: %w", err)
			return
		}
		if client, ok := f.client(e); ok {
			found = append(found, Flow{Client: client, VIP: addrPort(s.Addr, s.Port)})
		}
	})
	return found, failed
}

// Elements are the rows that a client's flows from one port have, one for each service that it talks to.
func (f *Flows) Elements(client netip.AddrPort, protocol uint8) (rows []uint16) {
	key := f.key.hash(client, protocol)
	for _, second := range []bool{false, true} {
		bucket := f.index(key, second)
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
	c := &f.clients.all[e.bucket]
	client := addrPort(c.Addr[e.way], c.Port[e.way])
	now, ok := f.read(e.bucket, e.way)
	return client, ok && now.Key == e.Key
}

// Forget ends every flow of an element.
func (f *Flows) Forget(row uint16) {
	f.each(func(e entry) {
		if e.Element == row {
			f.free(e)
		}
	})
}
