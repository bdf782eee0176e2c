// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"github.com/weir-lb/weir/test/packet"
)

// turn is one of the packets that come in turns for each client.
type turn struct {
	frame   []byte
	client  int // where the last four bytes of the client's address lie
	service int // the same of the VIP, or of its element
}

// The offsets of addresses in an Ethernet frame without tags.
const (
	source4, destination4 = packet.OffsetIP + 12, packet.OffsetIP + 16
	source6, destination6 = packet.OffsetIP + 8 + 12, packet.OffsetIP + 24 + 12
)

func turnOf(p packet.Packet, fromClient bool) turn {
	src, dst := source4, destination4
	if p.Is6() {
		src, dst = source6, destination6
	}
	if !fromClient {
		src, dst = dst, src
	}
	return turn{frame: p.Frame(), client: src, service: dst}
}

// stream is which packets a program gets in a run.
type stream struct {
	turns     []turn
	clients   uint32 // how many there are
	services  uint32 // VIPs, which clients take one after another; 0: the frames' own
	scattered bool   // clients come at random, else one after another
	grows     bool   // the program adds headers, which have to be taken off before the next packet
}

// state is a stream's, from one packet to the next.
type state struct {
	Random uint64
	Next   uint32 // client, when they come one after another
	Turn   uint32
	Client uint32 // of this turn
	_      uint32
}

const (
	stateRandom, stateNext, stateTurn, stateClient = 0, 8, 12, 16

	ctx, data, end, at = asm.R6, asm.R7, asm.R8, asm.R9
)

// source is a stream in front of a program: it writes each packet anew, because test runs use one packet
// again and again as the last run left it, and goes on with the program by a tail call.
type source struct {
	program *ebpf.Program
	state   *ebpf.Map
	jump    *ebpf.Map
	frame   []byte
}

func (s *source) Close() error {
	return errors.Join(s.program.Close(), s.state.Close(), s.jump.Close())
}

func (s stream) before(next *ebpf.Program) (*source, error) {
	var from source
	var err error
	if from.state, err = ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 24, MaxEntries: 1}); err != nil {
		return nil, fmt.Errorf("make a stream's state: %w", err)
	}
	if from.jump, err = ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.ProgramArray, KeySize: 4, ValueSize: 4, MaxEntries: 1}); err != nil {
		return nil, fmt.Errorf("make a stream's jump: %w", err)
	}
	if err := from.jump.Put(uint32(0), next); err != nil {
		return nil, fmt.Errorf("set a stream's jump: %w", err)
	}
	from.frame = s.turns[0].frame
	from.program, err = loadXDP(s.instructions(from.state, from.jump))
	return &from, err
}

// restart begins with the first client.
func (s *source) restart() error { return s.state.Put(uint32(0), state{}) }

func loadXDP(instructions asm.Instructions) (*ebpf.Program, error) {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.XDP, AttachType: ebpf.AttachXDP, License: "Dual BSD/GPL", Instructions: instructions})
	if err != nil {
		return nil, fmt.Errorf("load a program of the benchmark: %w", err)
	}
	return p, nil
}

func (s stream) instructions(state, jump *ebpf.Map) asm.Instructions {
	i := asm.Instructions{asm.Mov.Reg(ctx, asm.R1), asm.LoadMapValue(at, state.FD(), 0)}
	i = append(i, s.shrink()...)
	i = append(i,
		asm.LoadMem(data, ctx, 0, asm.Word),
		asm.LoadMem(end, ctx, 4, asm.Word),
		asm.Mov.Reg(asm.R2, data),
		asm.Add.Imm(asm.R2, int32(len(s.turns[0].frame))),
		asm.JGT.Reg(asm.R2, end, "out"),
	)
	i = append(i, s.next()...)
	for n := range s.turns {
		i = append(i, s.write(n)...)
	}
	return append(i,
		asm.Mov.Reg(asm.R1, ctx).WithSymbol("go"), asm.LoadMapPtr(asm.R2, jump.FD()), asm.Mov.Imm(asm.R3, 0), asm.FnTailCall.Call(),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("out"), asm.Return(),
	)
}

// shrink takes off what the last run added.
func (s stream) shrink() asm.Instructions {
	if !s.grows {
		return nil
	}
	return asm.Instructions{
		asm.LoadMem(asm.R2, ctx, 4, asm.Word), asm.LoadMem(asm.R3, ctx, 0, asm.Word), asm.Sub.Reg(asm.R2, asm.R3),
		asm.Sub.Imm(asm.R2, int32(len(s.turns[0].frame))), asm.Mov.Reg(asm.R1, ctx), asm.FnXdpAdjustHead.Call(),
	}
}

// next leaves the client's number in R0 and jumps to the turn. A new client comes at the first turn only.
func (s stream) next() asm.Instructions {
	var i asm.Instructions
	if len(s.turns) > 1 {
		i = append(i,
			asm.LoadMem(asm.R1, at, stateTurn, asm.Word), asm.Mov.Reg(asm.R2, asm.R1), asm.Add.Imm(asm.R2, 1),
			asm.JLT.Imm(asm.R2, int32(len(s.turns)), "same"), asm.Mov.Imm(asm.R2, 0),
			asm.StoreMem(at, stateTurn, asm.R2, asm.Word).WithSymbol("same"),
			asm.LoadMem(asm.R0, at, stateClient, asm.Word),
		)
		for n := 1; n < len(s.turns); n++ {
			i = append(i, asm.JEq.Imm(asm.R1, int32(n), turnLabel(n)))
		}
	}
	if s.scattered { // Knuth's MMIX generator, whose upper half is good
		i = append(i,
			asm.LoadMem(asm.R0, at, stateRandom, asm.DWord), asm.LoadImm(asm.R1, 6364136223846793005, asm.DWord), asm.Mul.Reg(asm.R0, asm.R1),
			asm.LoadImm(asm.R1, 1442695040888963407, asm.DWord), asm.Add.Reg(asm.R0, asm.R1), asm.StoreMem(at, stateRandom, asm.R0, asm.DWord),
			asm.RSh.Imm(asm.R0, 32), asm.Mul.Imm(asm.R0, int32(s.clients)), asm.RSh.Imm(asm.R0, 32),
		)
	} else {
		i = append(i,
			asm.LoadMem(asm.R0, at, stateNext, asm.Word), asm.Mov.Reg(asm.R1, asm.R0), asm.Add.Imm(asm.R1, 1),
			asm.JLT.Imm(asm.R1, int32(s.clients), "more"), asm.Mov.Imm(asm.R1, 0),
			asm.StoreMem(at, stateNext, asm.R1, asm.Word).WithSymbol("more"),
		)
	}
	return append(i, asm.StoreMem(at, stateClient, asm.R0, asm.Word))
}

func turnLabel(n int) string { return fmt.Sprintf("turn%d", n) }

// write writes a turn's packet of the client in R0.
func (s stream) write(n int) asm.Instructions {
	t := s.turns[n]
	var i asm.Instructions
	for from := 0; from < len(t.frame); {
		size := asm.DWord
		switch left := len(t.frame) - from; {
		case left < 2:
			size = asm.Byte
		case left < 4:
			size = asm.Half
		case left < 8:
			size = asm.Word
		}
		word := make([]byte, 8)
		copy(word, t.frame[from:min(from+size.Sizeof(), len(t.frame))])
		i = append(i, asm.LoadImm(asm.R3, int64(binary.NativeEndian.Uint64(word)), asm.DWord), asm.StoreMem(data, int16(from), asm.R3, size))
		from += size.Sizeof()
	}
	i = append(i, asm.Mov.Reg(asm.R1, asm.R0))
	i = append(i, add(t.frame, t.client)...)
	if s.services > 0 {
		i = append(i, asm.Mov.Reg(asm.R1, asm.R0), asm.Mod.Imm(asm.R1, int32(s.services)))
		i = append(i, add(t.frame, t.service)...)
	}
	i[0] = i[0].WithSymbol(turnLabel(n))
	return append(i, asm.Ja.Label("go"))
}

// add writes the frame's address plus R1.
func add(frame []byte, offset int) asm.Instructions {
	return asm.Instructions{
		asm.Add.Imm(asm.R1, int32(binary.BigEndian.Uint32(frame[offset:]))), asm.HostTo(asm.BE, asm.R1, asm.Word),
		asm.StoreMem(data, int16(offset), asm.R1, asm.Word),
	}
}
