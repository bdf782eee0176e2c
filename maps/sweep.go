// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"errors"
	"math"
	"net/netip"
	"time"

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
func (t Timeouts) states(c Clock) (all timeouts) {
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

// Sweep is what one pass over the flow table found.
type Sweep struct {
	Flows   map[uint16]uint64 // live flows of each element, by its row
	Expired uint64            // flows removed
}

// Sweep counts the live flows of each element, and ends those that were silent for too long and those
// of rows that are gone. When it returns no error, no flow names these rows any more: none begins at a
// row that no selection has.
func (f *Flows) Sweep(gone map[uint16]bool) (Sweep, error) {
	p, err := readSettings(f.kernel)
	if err != nil {
		return Sweep{}, err
	}
	now, err := f.clock.tick()
	if err != nil {
		return Sweep{}, err
	}
	return f.sweep(now, p.Timeouts, gone)
}

// timeouts are those of the settings.
type timeouts = [bpf.WeirFlowClassFLOW_CLASSES][bpf.WeirFlowStateFLOW_STATES]uint16

func (f *Flows) sweep(now uint16, t timeouts, gone map[uint16]bool) (Sweep, error) {
	s := sweeper{
		Flows: f, now: now, timeouts: t, gone: gone,
		found: Sweep{Flows: map[uint16]uint64{}}, unsettled: make([]bool, len(f.buckets.all)),
	}
	if all := f.each(s.visit); !all || s.missed {
		return s.found, errors.New("an entry of the flow table was being written for too long: the next sweep comes back to it")
	}
	s.settle()
	return s.found, nil
}

// sweeper is a sweep under way.
type sweeper struct {
	*Flows
	now       uint16
	timeouts  timeouts
	gone      map[uint16]bool
	found     Sweep
	missed    bool   // an entry could not be read again
	unsettled []bool // buckets with flows in their second place, and those where this sweep freed an entry
}

// visit ends a flow that is over, or counts it. Where a packet is faster it looks again.
func (s *sweeper) visit(e entry) {
	for e.used() {
		if !s.over(e) {
			s.count(e)
			return
		}
		if s.free(e) {
			s.unsettled[e.bucket] = true
			if !s.gone[e.Element] {
				s.found.Expired++
			}
			return
		}
		again, ok := s.read(e.bucket, e.way)
		s.missed = s.missed || !ok
		e = again
	}
}

func (s *sweeper) over(e entry) bool {
	return s.gone[e.Element] || e.state() >= bpf.WeirFlowStateFLOW_STATES || e.idle(s.now) > s.timeouts[e.class()][e.state()]
}

func (s *sweeper) count(e entry) {
	if e.state() != bpf.WeirFlowStateFLOW_RESET {
		s.found.Flows[e.Element]++
	}
	if first := s.index(e.Key, false); first != e.bucket {
		s.unsettled[first] = true
	}
}

// maxAhead is how many ticks may pass while a sweep is under way.
const maxAhead = 1 << 10

// idle is how many ticks ago the flow was heard of. A packet that came after now was read is ahead of it.
func (e *entry) idle(now uint16) uint16 {
	idle := now - e.Seen
	if idle > math.MaxUint16-maxAhead {
		return 0
	}
	return idle
}

// settle makes dead entries empty where no flow is in its second bucket: look-ups end at a bucket that has
// an empty entry. It leaves alone the buckets where this sweep freed an entry: a flow may have gone to its
// second bucket before that, and after this one was looked at. While an entry is dead, none does.
func (s *sweeper) settle() {
	for bucket := range s.buckets.all {
		if s.unsettled[bucket] {
			continue
		}
		for way := range s.buckets.all[bucket].Ways {
			if e, ok := s.read(bucket, way); ok && e.state() == bpf.WeirFlowStateFLOW_DEAD {
				s.become(e, bpf.WeirFlowStateFLOW_EMPTY)
			}
		}
	}
}

// End ends flows whose clients are not allowed, of services by their rows. The next packet of each is that
// of a flow that begins.
func (f *Flows) End(allowed map[uint16]func(netip.Addr) bool) (ended int, err error) {
	all := f.each(func(e entry) {
		for ok := true; ok && e.used() && allowed[e.Service] != nil; e, ok = f.read(e.bucket, e.way) {
			client, known := f.client(e)
			if known && allowed[e.Service](client.Addr()) {
				return
			}
			if known && f.free(e) {
				ended++
				return
			}
		}
	})
	if !all {
		err = errors.New("an entry of the flow table was being written for too long")
	}
	return ended, err
}
