// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
)

// tickShift turns nanoseconds of the monotonic clock into struct flow's ticks (1.07 s).
const tickShift = 30

// Timeouts are how long a flow may be silent, in both directions, before it is forgotten.
type Timeouts struct {
	TCP     time.Duration // established
	Opening time.Duration // nothing seen but the SYN
	Closing time.Duration // FIN from both sides, or a RST
	UDP     time.Duration
}

// Flow is a TCP flow whose client can be told something.
type Flow struct {
	Client, VIP netip.AddrPort
	ClientAck   uint32 // the sequence number that the client expects next
}

// RowID names one use of an element row: a reused row has another generation.
type RowID struct {
	Index, Generation uint32
}

// ID is the row's name in flows.
func (r Row) ID() RowID { return RowID{r.Index, r.Generation} }

// Sweep is what one pass over the flow table found.
type Sweep struct {
	Flows   map[RowID]uint64 // live flows of each element
	Expired uint64           // flows removed
}

// flowBatch is how many entries one system call reads; a hash bucket must fit.
const flowBatch = 4096

// eachFlow calls visit for every entry, in batches. Entries that come or go meanwhile may be missed.
func eachFlow(m *ebpf.Map, visit func(bpf.WeirFlowKey, bpf.WeirFlow) error) error {
	keys, flows := make([]bpf.WeirFlowKey, flowBatch), make([]bpf.WeirFlow, flowBatch)
	for cursor := new(ebpf.MapBatchCursor); ; {
		n, err := m.BatchLookup(cursor, keys, flows, nil)
		for i := range n {
			if err := visit(keys[i], flows[i]); err != nil {
				return err
			}
		}
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the flow table: %w", err)
		}
	}
}

// SweepFlows counts the live flows of each element and removes those that were silent for too long.
func SweepFlows(m *bpf.WeirMaps, timeouts Timeouts) (Sweep, error) {
	s := Sweep{Flows: map[RowID]uint64{}}
	now := uint32(monotonicNow() >> tickShift)
	err := eachFlow(m.Flows, func(key bpf.WeirFlowKey, f bpf.WeirFlow) error {
		forward := key.Direction == uint8(bpf.WeirFlowDirectionFLOW_FORWARD)
		gone, err := expire(m, key, f, now, timeouts)
		switch {
		case err != nil || !forward:
		case gone:
			s.Expired++
		case f.State != uint8(bpf.WeirFlowStateFLOW_RESET):
			s.Flows[RowID{f.Element, f.Generation}]++
		}
		return err
	})
	return s, err
}

// expire removes a flow when neither direction was heard of for its timeout. The entry of the way
// there decides for both; an entry whose other direction is not there, because it was evicted or
// belongs to a later flow by now, goes alone.
func expire(m *bpf.WeirMaps, key bpf.WeirFlowKey, f bpf.WeirFlow, now uint32, timeouts Timeouts) (bool, error) {
	if idle(f, now) < min(timeouts.TCP, timeouts.Opening, timeouts.Closing, timeouts.UDP) {
		return false, nil
	}
	otherKey := twin(key, f)
	var other bpf.WeirFlow
	err := m.Flows.Lookup(otherKey, &other)
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return false, fmt.Errorf("read a flow's other direction: %w", err)
	}
	keys := []bpf.WeirFlowKey{key}
	if err == nil && twin(otherKey, other) == key {
		if key.Direction == uint8(bpf.WeirFlowDirectionFLOW_RETURN) {
			return false, nil
		}
		keys = append(keys, otherKey)
	} else {
		other = f
	}
	if min(idle(f, now), idle(other, now)) < timeouts.of(key.Protocol, f.State, other.State) {
		return false, nil
	}
	return true, deleteFlows(m, keys...)
}

func idle(f bpf.WeirFlow, now uint32) time.Duration {
	return time.Duration(int32(now-f.Seen)) << tickShift
}

// of is the timeout of a flow whose two directions are in states a and b.
func (t Timeouts) of(protocol, a, b uint8) time.Duration {
	const (
		opening = uint8(bpf.WeirFlowStateFLOW_SYN)
		closing = uint8(bpf.WeirFlowStateFLOW_CLOSING)
	)
	switch {
	case protocol == UDP:
		return t.UDP
	case max(a, b) > closing || min(a, b) == closing:
		return t.Closing
	case max(a, b) == opening:
		return t.Opening
	}
	return t.TCP
}

// twin is the key of the flow's other direction. Source and destination of a packet that way
// are the destination after rewriting (or the VIP) and the source.
func twin(key bpf.WeirFlowKey, f bpf.WeirFlow) bpf.WeirFlowKey {
	if key.Direction == uint8(bpf.WeirFlowDirectionFLOW_FORWARD) {
		return bpf.WeirFlowKey{Src: f.Addr, Sport: f.Port, Dst: key.Src, Dport: key.Sport,
			Protocol: key.Protocol, Direction: uint8(bpf.WeirFlowDirectionFLOW_RETURN)}
	}
	return bpf.WeirFlowKey{Src: key.Dst, Sport: key.Dport, Dst: f.Addr, Dport: f.Port,
		Protocol: key.Protocol, Direction: uint8(bpf.WeirFlowDirectionFLOW_FORWARD)}
}

func deleteFlows(m *bpf.WeirMaps, keys ...bpf.WeirFlowKey) error {
	for _, key := range keys {
		if err := m.Flows.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("forget a flow: %w", err)
		}
	}
	return nil
}

// TCPFlows lists the connections of an element whose clients do not know yet that they ended.
// Those that are only opening are left out: their clients send the SYN again, which chooses anew.
func TCPFlows(m *bpf.WeirMaps, of RowID) ([]Flow, error) {
	var found []Flow
	err := eachFlow(m.Flows, func(key bpf.WeirFlowKey, f bpf.WeirFlow) error {
		forward := key.Direction == uint8(bpf.WeirFlowDirectionFLOW_FORWARD)
		if key.Protocol != TCP || !forward || (RowID{f.Element, f.Generation}) != of || over(m, key, f) {
			return nil
		}
		found = append(found, Flow{Client: addrPort(key.Src, key.Sport), VIP: addrPort(key.Dst, key.Dport), ClientAck: f.ClientAck})
		return nil
	})
	return found, err
}

// over says that the client of a forward entry needs not be told: it was reset, has not begun, or
// both sides have sent their FIN.
func over(m *bpf.WeirMaps, key bpf.WeirFlowKey, f bpf.WeirFlow) bool {
	switch bpf.WeirFlowState(f.State) {
	case bpf.WeirFlowStateFLOW_RESET, bpf.WeirFlowStateFLOW_SYN:
		return true
	case bpf.WeirFlowStateFLOW_CLOSING:
		var back bpf.WeirFlow
		err := m.Flows.Lookup(twin(key, f), &back)
		return err == nil && back.State >= uint8(bpf.WeirFlowStateFLOW_CLOSING)
	}
	return false
}

// ForgetFlows removes every flow of an element, both directions.
func ForgetFlows(m *bpf.WeirMaps, of RowID) error {
	return eachFlow(m.Flows, func(key bpf.WeirFlowKey, f bpf.WeirFlow) error {
		if (RowID{f.Element, f.Generation}) != of {
			return nil
		}
		return deleteFlows(m, key)
	})
}
