// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/weir-lb/weir/bpf"
)

// program does with a flow table what bpf/flow.h says that packets do, each after the other.
type program struct {
	key      tupleKey
	buckets  []bpf.WeirFlowBucket
	clients  []bpf.WeirFlowClient
	now      uint16
	timeouts timeouts
}

// tinyFlows is a flow table in plain memory, and who writes to it. Its key is fixed, so that a test is the
// same every time.
func tinyFlows(buckets int) (*Flows, *program) {
	f := &Flows{
		key:     tupleKey{0x243f6a8885a308d3, 0x13198a2e03707345, 0xa4093822299f31d1, 0x082efa98ec4e6c89},
		buckets: &mapped[bpf.WeirFlowBucket]{all: make([]bpf.WeirFlowBucket, buckets)},
		clients: &mapped[bpf.WeirFlowClient]{all: make([]bpf.WeirFlowClient, buckets)},
	}
	return f, programOf(f)
}

func programOf(f *Flows) *program {
	return &program{key: f.key, buckets: f.buckets.all, clients: f.clients.all, now: 7, timeouts: testTimeouts().states(testClock())}
}

// flow is one as a test describes it.
type flow struct {
	client           netip.AddrPort
	service, element uint16
	state            bpf.WeirFlowState
	class            bpf.WeirFlowClass
	idle             uint16
}

func (f flow) protocol() uint8 { return []uint8{6, 17, 132, 33}[f.class] }

// flowKey is what a flow is found by.
type flowKey struct {
	key     uint64
	service uint16
}

func (p *program) keyOf(f flow) flowKey {
	return flowKey{modelHash(p.key, f.client, f.protocol()), f.service}
}

// places are the buckets of a key: as many parts of the table as each half of it is of 2^32.
func (p *program) places(key uint64) [2]int {
	return [2]int{int((key >> 32) * uint64(len(p.buckets)) >> 32), int((key & 0xffffffff) * uint64(len(p.buckets)) >> 32)}
}

const (
	isEmptyState = 0
	isDead       = 2
	isOpening    = bpf.WeirFlowStateFLOW_OPENING
	isAnswered   = bpf.WeirFlowStateFLOW_ANSWERED
	isOpen       = bpf.WeirFlowStateFLOW_ESTABLISHED
	isClosed     = bpf.WeirFlowStateFLOW_CLOSED
	isReset      = bpf.WeirFlowStateFLOW_RESET
)

func stateIn(w bpf.WeirFlow) bpf.WeirFlowState { return bpf.WeirFlowState(w.State & 15) }

// find is flow_forward: nil, or the flow's entry.
func (p *program) find(k flowKey) *bpf.WeirFlow {
	for _, bucket := range p.places(k.key) {
		full := true
		for way := range p.buckets[bucket].Ways {
			w := (*bpf.WeirFlow)(&p.buckets[bucket].Ways[way])
			if stateIn(*w) >= isOpening && w.Key == k.key && w.Service == k.service {
				return w
			}
			full = full && stateIn(*w) != isEmptyState
		}
		if !full {
			return nil
		}
	}
	return nil
}

// rank is flow_place, without conflicts: tests give each service its own elements.
func (p *program) rank(w bpf.WeirFlow, k flowKey) int {
	idle := int(int16(p.now - w.Seen))
	state := stateIn(w)
	switch {
	case state == isDead:
		return 5 << 16
	case state == isEmptyState:
		return 4 << 16
	case w.Key == k.key && w.Service == k.service:
		return 6 << 16
	case idle > int(p.timeouts[w.State>>4&3][state]):
		return 3<<16 + idle
	case state <= isAnswered:
		return 2<<16 + idle
	}
	return 0
}

// begin is flow_store. It returns whether the flow has a place, and whose place it was.
func (p *program) begin(f flow) (stored bool, evicted *flowKey) {
	k := p.keyOf(f)
	best, bucket, way := 0, 0, 0
	for _, b := range p.places(k.key) {
		full := true
		for w := range p.buckets[b].Ways {
			is := bpf.WeirFlow(p.buckets[b].Ways[w])
			if rank := p.rank(is, k); rank > best {
				best, bucket, way = rank, b, w
			}
			full = full && stateIn(is) != isEmptyState
		}
		if !full {
			break
		}
	}
	if best == 0 {
		return false, nil
	}
	if was := p.buckets[bucket].Ways[way]; stateIn(was) >= isOpening {
		evicted = &flowKey{was.Key, was.Service}
	}
	p.write(f, bucket, way)
	return true, evicted
}

func (p *program) write(f flow, bucket, way int) {
	w := &p.buckets[bucket].Ways[way]
	*w = bpf.WeirFlow{Key: p.keyOf(f).key, Seen: p.now - f.idle, Element: f.element, Service: f.service,
		State: uint8(f.state) | uint8(f.class)<<4, Version: w.Version + 1}
	if !f.client.Addr().Unmap().Is4() {
		w.State |= 0x80
		c := &p.clients[bucket]
		c.Addr[way], c.Port[way] = address(f.client.Addr()), be16(f.client.Port())
	}
}

func (p *program) mustBegin(t *testing.T, flows ...flow) {
	t.Helper()
	for _, f := range flows {
		if stored, evicted := p.begin(f); !stored || evicted != nil {
			t.Fatalf("%+v: stored %t, in the place of %v", f, stored, evicted)
		}
	}
}

// used lists the entries of flows, wherever they are.
func (p *program) used(t *testing.T) map[flowKey]bpf.WeirFlow {
	t.Helper()
	all := map[flowKey]bpf.WeirFlow{}
	for bucket := range p.buckets {
		for _, w := range p.buckets[bucket].Ways {
			if stateIn(w) < isOpening {
				continue
			}
			k := flowKey{w.Key, w.Service}
			if _, twice := all[k]; twice {
				t.Fatalf("flow %x is there twice", k)
			}
			all[k] = w
		}
	}
	return all
}

// clientOf is a different client for each number, every third one of IPv6.
func clientOf(n int) netip.AddrPort {
	if n%3 == 2 {
		return addr(fmt.Sprintf("[2001:db8::%x]:%d", n, 1000+n%60000))
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 64, byte(n >> 8), byte(n)}), uint16(1000+n%60000))
}
