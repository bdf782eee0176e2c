// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"

	"github.com/weir-lb/weir/bpf"
)

// The stack of a function and of all that it calls, one below the other, is 512 bytes, each rounded up to
// 32: older kernels than this machine's refuse more, and this one does not.
const (
	stackLimit = 512
	stackUnit  = 32
)

// frames are the functions of a program: the stack that each uses, and what it calls.
type frames struct {
	size  map[string]int
	calls map[string][]string
}

func TestStackFitsOlderKernels(t *testing.T) {
	spec, err := bpf.LoadWeir()
	must(t, err)
	f := framesOf(spec.Programs["weir"].Instructions)
	depth, path := f.deepest("weir")
	if depth < 200 || len(path) < 3 {
		t.Errorf("%d bytes of stack by %s: they are not counted right", depth, path)
	}
	if depth > stackLimit {
		t.Errorf("%d bytes of stack, want at most %d: %s", depth, stackLimit, strings.Join(path, " > "))
	}
}

func framesOf(program asm.Instructions) frames {
	f := frames{map[string]int{}, map[string][]string{}}
	var function string
	var copied asm.Register // of the frame pointer, by the instruction before
	for i := range program {
		ins := &program[i]
		if begins := btf.FuncMetadata(ins); begins != nil {
			function = begins.Name
		}
		class, below := ins.OpCode.Class(), 0
		switch {
		case class.IsStore() && ins.Dst == asm.R10, class.IsLoad() && ins.Src == asm.R10:
			below = -int(ins.Offset)
		case class.IsALU() && ins.OpCode.ALUOp() == asm.Add && ins.OpCode.Source() == asm.ImmSource && ins.Dst == copied:
			below = -int(ins.Constant)
		}
		f.size[function] = max(f.size[function], below)
		copied = asm.R0
		if class.IsALU() && ins.OpCode.ALUOp() == asm.Mov && ins.OpCode.Source() == asm.RegSource && ins.Src == asm.R10 {
			copied = ins.Dst
		}
		if ins.IsFunctionCall() {
			f.calls[function] = append(f.calls[function], ins.Reference())
		}
	}
	return f
}

// deepest is the most that a function may use together with what it calls, and by which calls.
func (f frames) deepest(function string) (depth int, path []string) {
	for _, called := range f.calls[function] {
		if d, p := f.deepest(called); d > depth {
			depth, path = d, p
		}
	}
	own := max(f.size[function], 1) // the kernel counts at least one unit
	own = (own + stackUnit - 1) / stackUnit * stackUnit
	return depth + own, append([]string{fmt.Sprintf("%s %d", function, own)}, path...)
}
