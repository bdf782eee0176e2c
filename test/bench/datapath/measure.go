// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"github.com/weir-lb/weir/test/lab"
)

// bench is everything that is measured, loaded and filled.
type bench struct {
	repeat   int
	cases    []testCase
	worlds   map[string]*world
	bare     map[string]*ebpf.Program // without any stream before it
	subjects []*source                // of each case, its packets before the program
	nothing  []*source                // the same packets before an XDP_DROP
	closers  []func() error
}

// The bare programs, which are in each round.
const bareDrop, bareTX = "XDP_DROP", "XDP_TX with the addresses swapped"

// round is one round's times, in nanoseconds a packet.
type round struct {
	Bare     map[string]float64
	Subjects []float64
	Nothing  []float64
}

func (b *bench) Close() (err error) {
	for i := len(b.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, b.closers[i]())
	}
	return err
}

// newBench makes the worlds that the cases need, and opens their flows.
func newBench(network *lab.Lab, cases []testCase, repeat int) (*bench, error) {
	b := &bench{repeat: repeat, cases: cases, worlds: map[string]*world{}, bare: map[string]*ebpf.Program{}}
	for name, instructions := range map[string]asm.Instructions{
		bareDrop: {asm.Mov.Imm(asm.R0, 1), asm.Return()}, bareTX: swapping(),
	} {
		p, err := loadXDP(instructions)
		if err != nil {
			return b, err
		}
		b.bare[name] = p
		b.closers = append(b.closers, p.Close)
	}
	for _, c := range cases {
		if err := b.prepare(network, c); err != nil {
			return b, fmt.Errorf("prepare %q: %w", c.name, err)
		}
	}
	return b, nil
}

// swapping is an XDP_TX that sends a frame back: the destination and the source are its first six bytes and the six after.
func swapping() asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, 0, asm.Word), asm.LoadMem(asm.R3, asm.R1, 4, asm.Word),
		asm.Mov.Reg(asm.R4, asm.R2), asm.Add.Imm(asm.R4, 14), asm.Mov.Imm(asm.R0, 1), asm.JGT.Reg(asm.R4, asm.R3, "out"),
		asm.LoadMem(asm.R4, asm.R2, 0, asm.Word), asm.LoadMem(asm.R5, asm.R2, 4, asm.Half),
		asm.LoadMem(asm.R6, asm.R2, 6, asm.Word), asm.LoadMem(asm.R7, asm.R2, 10, asm.Half),
		asm.StoreMem(asm.R2, 0, asm.R6, asm.Word), asm.StoreMem(asm.R2, 4, asm.R7, asm.Half),
		asm.StoreMem(asm.R2, 6, asm.R4, asm.Word), asm.StoreMem(asm.R2, 10, asm.R5, asm.Half),
		asm.Mov.Imm(asm.R0, 3), asm.Return().WithSymbol("out"),
	}
}

func (b *bench) prepare(network *lab.Lab, c testCase) error {
	w := b.worlds[c.world]
	if w == nil {
		var err error
		if w, err = newWorld(network, c.world, plans()[c.world]); err != nil {
			return err
		}
		b.worlds[c.world] = w
		b.closers = append(b.closers, w.Close)
	}
	if err := w.fill(c); err != nil {
		return err
	}
	subject, err := c.stream.before(w.program)
	if err != nil {
		return err
	}
	nothing, err := c.stream.before(b.bare[bareDrop])
	if err != nil {
		return err
	}
	b.subjects, b.nothing = append(b.subjects, subject), append(b.nothing, nothing)
	b.closers = append(b.closers, subject.Close, nothing.Close)
	return nil
}

// fill opens the flows of a case.
func (w *world) fill(c testCase) error {
	if c.opens == nil {
		return nil
	}
	open := c.stream
	open.turns, open.clients, open.scattered = c.opens, c.opened, false
	from, err := open.before(w.program)
	if err != nil {
		return err
	}
	defer from.Close()
	_, _, err = from.program.Benchmark(from.frame, int(c.opened)*len(c.opens), nil)
	return err
}

// errStatistics says that the kernel counted the runs of programs, which costs as much as a packet.
var errStatistics = errors.New("another process has the kernel's BPF statistics switched on")

// discards is how many rounds in a row may have to be done again.
const discards = 100

// round measures everything once; again if BPF statistics were on meanwhile.
func (b *bench) round() (round, error) {
	for range discards {
		r, err := b.tryRound()
		if !errors.Is(err, errStatistics) {
			return r, err
		}
		time.Sleep(time.Second)
	}
	return round{}, errStatistics
}

func (b *bench) tryRound() (round, error) {
	r := round{Bare: map[string]float64{}}
	frame := make([]byte, 64)
	for name, p := range b.bare {
		ns, err := b.time(p, frame)
		if err != nil {
			return r, err
		}
		r.Bare[name] = ns
	}
	for i, c := range b.cases {
		nothing, err := b.time(b.nothing[i].program, b.nothing[i].frame)
		if err != nil {
			return r, err
		}
		subject, err := b.timeCase(c, b.subjects[i])
		if err != nil {
			return r, fmt.Errorf("measure %q: %w", c.name, err)
		}
		r.Nothing, r.Subjects = append(r.Nothing, nothing), append(r.Subjects, subject)
	}
	return r, nil
}

// timeCase measures a case's packets, and checks that they were what it says; but for a few, of flows that found no place.
func (b *bench) timeCase(c testCase, s *source) (float64, error) {
	w := b.worlds[c.world]
	if c.empty {
		if err := errors.Join(w.forget(), s.restart()); err != nil {
			return 0, err
		}
	}
	before, err := w.counts()
	if err != nil {
		return 0, err
	}
	ns, err := b.time(s.program, s.frame)
	if err != nil {
		return 0, err
	}
	after, err := w.counts()
	if err != nil {
		return 0, err
	}
	expected := uint64(0)
	for _, verdict := range c.verdicts {
		expected += after[verdict] - before[verdict]
	}
	if expected < uint64(b.repeat)/1000*995 {
		return 0, fmt.Errorf("only %d of %d packets were %v", expected, b.repeat, c.verdicts)
	}
	return ns, nil
}

// time is the kernel's duration of one run of the program, of many.
func (b *bench) time(p *ebpf.Program, frame []byte) (float64, error) {
	before, err := p.Stats()
	if err != nil {
		return 0, fmt.Errorf("read a program's statistics: %w", err)
	}
	_, each, err := p.Benchmark(frame, b.repeat, nil)
	if err != nil {
		return 0, fmt.Errorf("run a program: %w", err)
	}
	after, err := p.Stats()
	if err != nil {
		return 0, fmt.Errorf("read a program's statistics: %w", err)
	}
	if after.RunCount != before.RunCount {
		return 0, errStatistics
	}
	return float64(each.Nanoseconds()), nil
}
