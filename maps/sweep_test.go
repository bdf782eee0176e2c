// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/weir-lb/weir/bpf"
)

// one is a TCP flow of the first client, to element 1 of service 1.
func one(state bpf.WeirFlowState, idle uint16) flow {
	return flow{client: clientOf(0), service: 1, element: 1, state: state, idle: idle}
}

func ofClass(class bpf.WeirFlowClass, f flow) flow {
	f.class = class
	return f
}

func TestSweepKeepsAndForgets(t *testing.T) {
	const (
		halfClosed = bpf.WeirFlowStateFLOW_CLIENT_CLOSED
		answered   = bpf.WeirFlowStateFLOW_ELEMENT_CLOSED
		udp, sctp  = bpf.WeirFlowClassFLOW_UDP, bpf.WeirFlowClassFLOW_SCTP
	)
	for _, tt := range []struct {
		name string
		flow flow
		keep bool
		live uint64 // what the element is said to have
	}{
		{"established and fresh", one(isOpen, 0), true, 1},
		{"established, silent for its timeout", one(isOpen, 40), true, 1},
		{"established, silent for longer", one(isOpen, 41), false, 0},
		{"established, silent for half of what ticks tell apart", one(isOpen, 1<<15), false, 0},
		{"established, silent for nearly all of it", one(isOpen, 64000), false, 0},
		{"opening, silent for its timeout", one(isOpening, 20), true, 1},
		{"opening, silent for longer", one(isOpening, 21), false, 0},
		{"answered, silent for its timeout", one(isAnswered, 20), true, 1},
		{"answered, silent for longer", one(isAnswered, 21), false, 0},
		{"half closed by the client", one(halfClosed, 40), true, 1},
		{"half closed by the client, silent for longer", one(halfClosed, 41), false, 0},
		{"half closed by the element", one(answered, 40), true, 1},
		{"half closed by the element, silent for longer", one(answered, 41), false, 0},
		{"closed, silent for its timeout", one(isClosed, 10), true, 1},
		{"closed, silent for longer", one(isClosed, 11), false, 0},
		{"reset, silent for longer", one(isReset, 11), false, 0},
		{"reset a moment ago is no load", one(isReset, 1), true, 0},
		{"datagrams, silent for their timeout", ofClass(udp, one(isOpen, 30)), true, 1},
		{"datagrams, silent for longer", ofClass(udp, one(isOpen, 31)), false, 0},
		{"SCTP, silent for its timeout", ofClass(sctp, one(isOpen, 30)), true, 1},
		{"SCTP, silent for longer", ofClass(sctp, one(isOpen, 31)), false, 0},
		{"seen after the sweep began", one(isOpen, 1<<16-2), true, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, now := range []uint16{0, 5, 1 << 15, 1<<16 - 1} { // ticks wrap
				f, p := tinyFlows(4)
				p.now = now
				p.mustBegin(t, tt.flow)
				got, err := f.sweep(now, p.timeouts, nil)
				must(t, err)
				if kept := len(p.used(t)) == 1; kept != tt.keep || kept != (p.find(p.keyOf(tt.flow)) != nil) {
					t.Errorf("at %d: kept is %t, want %t", now, kept, tt.keep)
				}
				if expired := map[bool]uint64{false: 1}[tt.keep]; got.Flows[1] != tt.live || got.Expired != expired {
					t.Errorf("at %d: swept %+v, want %d live and %d expired", now, got, tt.live, expired)
				}
			}
		})
	}
}

// By the kernel's clock and settings, through the kernel's memory.
func TestSweepOfKernelsTable(t *testing.T) {
	m := newMapsOf(t, 16000)
	clock := newClock(t)
	must(t, WriteParameters(m, clock, limits(), testTimeouts()))
	f, err := OpenFlows(m, clock)
	must(t, err)
	t.Cleanup(func() { must(t, f.Close()) })
	p := programOf(f)
	p.now, err = clock.tick()
	must(t, err)
	want := map[uint16]uint64{}
	for i := range 6000 {
		now := flow{client: clientOf(i), service: 1, element: uint16(1 + i%7), state: isOpen, idle: uint16(i % 2 * 50)}
		p.mustBegin(t, now)
		if now.idle == 0 {
			want[now.element]++
		}
	}
	got, err := f.Sweep(nil)
	must(t, err)
	if !maps.Equal(got.Flows, want) || got.Expired != 3000 {
		t.Errorf("got %+v, want %v and 3000 expired", got, want)
	}
	var live uint64
	for bucket := range m.Flows.MaxEntries() {
		for _, w := range lookup[bpf.WeirFlowBucket](t, m.Flows, bucket).Ways {
			if stateIn(w) == isOpen {
				live++
			}
		}
	}
	if live != 3000 {
		t.Errorf("the kernel has %d flows, want 3000", live)
	}
}

func TestSweepEndsFlowsOfGoneRows(t *testing.T) {
	f, p := tinyFlows(8)
	gone, stays := one(isOpen, 0), flow{client: clientOf(1), service: 1, element: 2, state: isOpen}
	p.mustBegin(t, gone, stays, flow{client: clientOf(2), service: 2, element: 1, state: isOpening})
	got, err := f.sweep(p.now, p.timeouts, map[uint16]bool{1: true, 3: true})
	must(t, err)
	if len(p.used(t)) != 1 || p.find(p.keyOf(stays)) == nil || !maps.Equal(got.Flows, map[uint16]uint64{2: 1}) || got.Expired != 0 {
		t.Errorf("swept %+v, left %v", got, p.used(t))
	}
}

// What a packet does between a sweep's look at an entry and its change of it.
func TestSweepLosesToPackets(t *testing.T) {
	for _, tt := range []struct {
		name   string
		gone   bool
		packet func(p *program, w *bpf.WeirFlow)
		live   map[uint16]uint64 // counted after it
		left   bool
	}{
		{"nothing", false, func(*program, *bpf.WeirFlow) {}, map[uint16]uint64{}, false},
		{"the flow was heard of", false, func(p *program, w *bpf.WeirFlow) { w.Seen = p.now }, map[uint16]uint64{1: 1}, true},
		{"the flow was closed, and had been silent for too long", false, func(p *program, w *bpf.WeirFlow) {
			w.State = uint8(isClosed)
		}, map[uint16]uint64{}, false},
		{"a flow of a row that is gone was heard of", true, func(p *program, w *bpf.WeirFlow) { w.Seen = p.now }, map[uint16]uint64{}, false},
		{"the entry is that of a new flow", false, func(p *program, w *bpf.WeirFlow) {
			p.write(flow{client: clientOf(1), service: 1, element: 2, state: isOpening}, 0, 0)
		}, map[uint16]uint64{2: 1}, true},
		{"the entry is that of a new flow, and looks the same", true, func(p *program, w *bpf.WeirFlow) {
			w.Version++
		}, map[uint16]uint64{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, p := tinyFlows(4)
			p.write(one(isOpen, 100), 0, 0)
			s := sweeper{Flows: f, now: p.now, timeouts: p.timeouts, gone: map[uint16]bool{1: tt.gone},
				found: Sweep{Flows: map[uint16]uint64{}}, unsettled: make([]bool, 4)}
			e, ok := f.read(0, 0)
			tt.packet(p, (*bpf.WeirFlow)(&p.buckets[0].Ways[0]))
			was := p.buckets[0]
			if changed := was.Ways[0] != e.WeirFlow; changed && f.free(e) || !ok || p.buckets[0] != was && changed {
				t.Error("ended a flow that a packet changed")
			}
			s.visit(e)
			if left := len(p.used(t)) == 1; left != tt.left || !maps.Equal(s.found.Flows, tt.live) || s.missed {
				t.Errorf("left is %t, want %t; found %+v", left, tt.left, s.found)
			}
		})
	}
}

// A table whose entry is being written is no table that a row can be released after.
func TestSweepSaysWhatItCouldNotRead(t *testing.T) {
	f, p := tinyFlows(4)
	p.mustBegin(t, one(isOpen, 0))
	p.buckets[3].Ways[3].State = uint8(bpf.WeirFlowStateFLOW_BUSY)
	p.buckets[2].Ways[1].State = isDead
	if got, err := f.sweep(p.now, p.timeouts, nil); err == nil || got.Flows[1] != 1 || p.buckets[2].Ways[1].State != isDead {
		t.Errorf("swept %+v, %v", got, err)
	}
	p.buckets[3].Ways[3].State = isEmptyState
	if _, err := f.sweep(p.now, p.timeouts, nil); err != nil || p.buckets[2].Ways[1].State != isEmptyState {
		t.Errorf("%v; an entry that was dead is %+v", err, p.buckets[2].Ways[1])
	}
}

// world is a flow table with those flows that packets believe to be in it.
type world struct {
	*testing.T
	*program
	flows  *Flows
	random *rand.Rand
	model  map[flowKey]flow
	hosts  int
}

func newWorld(t *testing.T, buckets, hosts int, seed uint64) *world {
	f, p := tinyFlows(buckets)
	return &world{t, p, f, rand.New(rand.NewPCG(seed, 3)), map[flowKey]flow{}, hosts}
}

// packet begins a flow, or goes on with it. One that is in the model is found, and has its element.
func (w *world) packet() {
	w.Helper()
	n := w.random.IntN(w.hosts)
	service := n % 2 // which has four elements
	f := flow{client: clientOf(n), service: uint16(1 + service), element: uint16(1 + 4*service + w.random.IntN(4)),
		state: isOpening, class: bpf.WeirFlowClass(n % 4)}
	k := w.keyOf(f)
	known, there := w.model[k]
	entry := w.find(k)
	if there && (entry == nil || entry.Element != known.element) {
		w.Fatalf("flow %x has %+v, want element %d", k, entry, known.element)
	}
	if entry == nil {
		stored, evicted := w.begin(f)
		if evicted != nil {
			delete(w.model, *evicted)
		}
		if stored {
			w.model[k] = f
		}
		return
	}
	entry.Seen = w.now
	entry.State = entry.State&0xf0 | uint8(isOpening+bpf.WeirFlowState(w.random.IntN(7)))
}

// over says whether a sweep may end a flow, by what the model's entry is.
func (w *world) over(is bpf.WeirFlow, gone map[uint16]bool) bool {
	return gone[is.Element] || w.now-is.Seen > w.timeouts[is.State>>4&3][stateIn(is)]
}

func (w *world) check() {
	w.Helper()
	used := w.used(w.T)
	if len(used) != len(w.model) {
		w.Fatalf("%d flows in the table, want %d", len(used), len(w.model))
	}
	for k, f := range w.model {
		if is := w.find(k); is == nil || is.Element != f.element {
			w.Fatalf("flow %x has %+v, want element %d; the table has it: %+v", k, is, f.element, used[k])
		}
		if got := w.flows.Elements(f.client, f.protocol()); len(got) != 1 || got[0] != f.element {
			w.Fatalf("flow of %s has elements %v, want %d", f.client, got, f.element)
		}
	}
}

// someGone is a row whose element left, at times.
func (w *world) someGone() map[uint16]bool {
	gone := map[uint16]bool{}
	if w.random.IntN(4) == 0 {
		gone[uint16(1+w.random.IntN(8))] = true
	}
	return gone
}

// sweep sweeps while no packet comes: exactly what is over ends.
func (w *world) sweep() {
	w.Helper()
	gone := w.someGone()
	want := Sweep{Flows: map[uint16]uint64{}}
	for k, is := range w.used(w.T) {
		switch {
		case w.over(is, gone):
			delete(w.model, k)
			if !gone[is.Element] {
				want.Expired++
			}
		case stateIn(is) != isReset:
			want.Flows[is.Element]++
		}
	}
	got, err := w.flows.sweep(w.now, w.timeouts, gone)
	must(w.T, err)
	if !maps.Equal(got.Flows, want.Flows) || got.Expired != want.Expired {
		w.Fatalf("swept %+v, want %+v", got, want)
	}
}

func TestFlowTable(t *testing.T) {
	for _, tt := range []struct{ buckets, hosts int }{{1, 6}, {2, 14}, {4, 20}, {16, 40}, {16, 80}} {
		for seed := range uint64(8) {
			w := newWorld(t, tt.buckets, tt.hosts, seed)
			for range 4000 {
				switch w.random.IntN(20) {
				case 0:
					w.now += uint16(w.random.IntN(20))
				case 1, 2:
					w.sweep()
					w.check()
				default:
					w.packet()
				}
			}
			w.check()
		}
	}
}

// Packets come while a sweep goes through the table. What they believe to be there is found, as long as it
// is not over.
func TestSweepBesidePackets(t *testing.T) {
	for _, tt := range []struct{ buckets, hosts int }{{2, 14}, {4, 24}, {8, 48}} {
		for seed := range uint64(8) {
			w := newWorld(t, tt.buckets, tt.hosts, seed)
			for range 400 {
				for range w.random.IntN(8) {
					w.packet()
				}
				w.now += uint16(w.random.IntN(12))
				w.sweepBesidePackets()
			}
		}
	}
}

func (w *world) sweepBesidePackets() {
	w.Helper()
	s := sweeper{Flows: w.flows, now: w.now, timeouts: w.timeouts, gone: w.someGone(),
		found: Sweep{Flows: map[uint16]uint64{}}, unsettled: make([]bool, len(w.buckets))}
	s.each(func(e entry) {
		w.packet()
		at := (*bpf.WeirFlow)(&w.buckets[e.bucket].Ways[e.way])
		was := *at
		s.visit(e)
		if stateIn(was) >= isOpening && stateIn(*at) == isDead {
			if !w.over(was, s.gone) {
				w.Fatalf("a flow was ended: %+v", was)
			}
			delete(w.model, flowKey{was.Key, was.Service})
		}
		w.packet()
	})
	s.settle()
	w.check()
}
