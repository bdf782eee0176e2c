// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/weir-lb/weir/registrar/wire"
	"github.com/weir-lb/weir/test/bench/machine"
)

// batch is how many operations are timed at once.
const batch = 256

// operation does a batch, and returns how long it took.
type operation struct {
	name string
	run  func(w *world) time.Duration
}

// operations are by the names of the report.
func operations() []operation {
	return []operation{
		{"resolve_1", resolve},
		{"register", register},
		{"reregister", reregister},
		{"deregister_register", replace},
	}
}

// observedSuffix marks what is followed by a snapshot each time.
const observedSuffix = "+snapshot"

// operationNames are the report's lines.
func operationNames() []string {
	var names []string
	for _, o := range operations() {
		names = append(names, o.name)
	}
	for _, o := range operations()[1:] {
		names = append(names, o.name+observedSuffix)
	}
	return names
}

// measureAll measures all operations on one pool.
func measureAll(p wire.Policy, j job, r result) {
	w := newWorld(p, j.Size)
	for _, o := range operations() {
		r[o.name] = measure(w, o, j.Long)
	}
	w.observing = true
	for _, o := range operations()[1:] {
		r[o.name+observedSuffix] = measure(w, o, j.Long)
	}
}

// register is of new elements, which leave again untimed.
func register(w *world) time.Duration {
	var ids [batch]wire.PEID
	for i := range ids {
		ids[i] = w.unused()
	}
	begin := machine.CPU()
	for _, id := range ids {
		w.register(id)
	}
	took := machine.CPU() - begin
	for _, id := range ids {
		w.deregister(id)
	}
	return took
}

// reregister is of random elements.
func reregister(w *world) time.Duration {
	var ids [batch]wire.PEID
	for i := range ids {
		ids[i] = w.ids[w.random()]
	}
	begin := machine.CPU()
	for _, id := range ids {
		w.register(id)
	}
	return machine.CPU() - begin
}

// replace is that a random element leaves and a new one comes.
func replace(w *world) time.Duration {
	var leave, come [batch]wire.PEID
	for i := range leave {
		at := w.random()
		leave[i], come[i] = w.ids[at], w.unused()
		w.ids[at] = come[i]
	}
	begin := machine.CPU()
	for i := range leave {
		w.deregister(leave[i])
		w.register(come[i])
	}
	return machine.CPU() - begin
}

// resolve is of one item.
func resolve(w *world) time.Duration {
	begin := machine.CPU()
	for range batch {
		w.resolve()
	}
	return machine.CPU() - begin
}

// measure repeats an operation for about as long, and returns the nanoseconds of one.
func measure(w *world, o operation, long time.Duration) float64 {
	o.run(w) // warm
	var took time.Duration
	n := 0
	for end := machine.CPU() + long; machine.CPU() < end; n += batch {
		took += o.run(w)
	}
	return float64(took) / float64(n)
}
