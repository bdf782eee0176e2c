// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/rand/v2"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/registrar/wire"
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
	begin := cpu()
	for _, id := range ids {
		w.register(id)
	}
	took := cpu() - begin
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
	begin := cpu()
	for _, id := range ids {
		w.register(id)
	}
	return cpu() - begin
}

// replace is that a random element leaves and a new one comes.
func replace(w *world) time.Duration {
	var leave, come [batch]wire.PEID
	for i := range leave {
		at := w.random()
		leave[i], come[i] = w.ids[at], w.unused()
		w.ids[at] = come[i]
	}
	begin := cpu()
	for i := range leave {
		w.deregister(leave[i])
		w.register(come[i])
	}
	return cpu() - begin
}

// resolve is of one item.
func resolve(w *world) time.Duration {
	begin := cpu()
	for range batch {
		w.resolve()
	}
	return cpu() - begin
}

// measure repeats an operation for about as long, and returns the nanoseconds of one.
func measure(w *world, o operation, long time.Duration) float64 {
	o.run(w) // warm
	var took time.Duration
	n := 0
	for end := cpu() + long; cpu() < end; n += batch {
		took += o.run(w)
	}
	return float64(took) / float64(n)
}

// cpu is the time that the process has had on the core, the garbage collector's too. On a machine that others use it is
// what can be measured; what they do to the caches is in it.
func cpu() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}

// latency is the nanoseconds of a load whose address is what the last one loaded, at random from so many bytes: what the
// machine's caches are worth at the moment.
func latency(size int) float64 {
	const line, loads = 8, 200_000
	next := make([]uint64, size/8)
	order := rand.New(rand.NewPCG(1, 2)).Perm(len(next) / line)
	for i, at := range order {
		next[at*line] = uint64(order[(i+1)%len(order)] * line)
	}
	at, best := uint64(0), time.Hour
	for range 5 {
		begin := cpu()
		for range loads {
			at = next[at]
		}
		best = min(best, cpu()-begin+time.Duration(at>>63))
	}
	return float64(best) / loads
}
