// SPDX-License-Identifier: Apache-2.0

package loader_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"github.com/weir-lb/weir/loader"
)

func TestLoadAttachesNothing(t *testing.T) {
	h := newHost(t)
	d := h.load(h.config("in0"))
	if id := h.xdp("in0"); id != 0 || len(d.Interfaces()) != 0 {
		t.Errorf("program %d on in0, attached to %v", id, d.Interfaces())
	}
	must(t, d.Close())
	h.wantLeft()
}

func TestAttach(t *testing.T) {
	h := newHost(t)
	d := h.start(h.config("in0", "in1"))
	want := []loader.Attached{{Name: "in0", Index: int(h.index("in0")), Mode: "native"}, {Name: "in1", Index: int(h.index("in1")), Mode: "native"}}
	if got := d.Interfaces(); !slices.Equal(got, want) {
		t.Errorf("attached to %v, want %v", got, want)
	}
	if h.xdp("in0") == 0 || h.xdp("in0") != h.xdp("in1") || h.xdp("in2") != 0 {
		t.Errorf("programs %d, %d and %d, want the same on in0 and in1 and none on in2", h.xdp("in0"), h.xdp("in1"), h.xdp("in2"))
	}
	if got, want := targets(t, d.Maps.TxPorts), []uint32{h.index("in0"), h.index("in1")}; !slices.Equal(got, sorted(want)) {
		t.Errorf("redirects go to %v, want %v", got, want)
	}
	must(t, d.Close())
	if h.xdp("in0") == 0 {
		t.Error("closing took the program off")
	}
	h.wantLeft("links", "links/in0", "links/in1", "v1")
}

func sorted(list []uint32) []uint32 { slices.Sort(list); return list }

// A restart updates the links in place: they are the same links, at no time without a program.
func TestRestartNeverDetaches(t *testing.T) {
	h := newHost(t)
	first := h.start(h.config("in0"))
	link, program, flows := h.linkInfo("in0"), h.xdp("in0"), mapID(t, first.Maps.Flows)
	must(t, first.Close())
	second := h.start(h.config("in0"))
	if again := h.linkInfo("in0"); again.ID != link.ID {
		t.Errorf("link %d became link %d", link.ID, again.ID)
	}
	if h.xdp("in0") == program {
		t.Error("the program is still the first run's")
	}
	if id := mapID(t, second.Maps.Flows); id != flows {
		t.Errorf("the flow table %d became %d", flows, id)
	}
	h.wantLeft("links", "links/in0", "v1")
}

// A second run takes over while the first one is still there.
func TestStartBesideRunning(t *testing.T) {
	h := newHost(t)
	first := h.start(h.config("in0"))
	before := h.xdp("in0")
	h.start(h.config("in0"))
	must(t, first.Close())
	if id := h.xdp("in0"); id == 0 || id == before {
		t.Errorf("program %d on in0 after the first run, of program %d, ended", id, before)
	}
}

func TestInterfaceMadeAnew(t *testing.T) {
	h := newHost(t)
	must(t, h.start(h.config("in0", "in1")).Close())
	h.removeInterface("0")
	h.addInterface("0")
	if h.xdp("in0") != 0 {
		t.Fatal("the new interface has a program")
	}
	d := h.start(h.config("in0", "in1"))
	if info := h.linkInfo("in0"); h.xdp("in0") == 0 || info.XDP().Ifindex != h.index("in0") {
		t.Errorf("program %d on in0, whose link is for interface %d", h.xdp("in0"), info.XDP().Ifindex)
	}
	if got, want := targets(t, d.Maps.TxPorts), sorted([]uint32{h.index("in0"), h.index("in1")}); !slices.Equal(got, want) {
		t.Errorf("redirects go to %v, want %v", got, want)
	}
}

func TestInterfaceNoLongerConfigured(t *testing.T) {
	h := newHost(t)
	must(t, h.start(h.config("in0", "in1")).Close())
	d := h.start(h.config("in1", "in2"))
	if h.xdp("in0") != 0 || h.xdp("in1") == 0 || h.xdp("in2") == 0 {
		t.Errorf("programs %d, %d and %d, want none on in0", h.xdp("in0"), h.xdp("in1"), h.xdp("in2"))
	}
	if got, want := targets(t, d.Maps.TxPorts), sorted([]uint32{h.index("in1"), h.index("in2")}); !slices.Equal(got, want) {
		t.Errorf("redirects go to %v, want %v", got, want)
	}
	h.wantLeft("links", "links/in1", "links/in2", "v1")
}

// An interface that is gone for good must not stop the others.
func TestPinOfInterfaceThatIsGone(t *testing.T) {
	h := newHost(t)
	must(t, h.start(h.config("in0", "in1")).Close())
	h.removeInterface("0")
	h.start(h.config("in1"))
	h.wantLeft("links", "links/in1", "v1")
	h.addInterface("0")
}

func TestRemove(t *testing.T) {
	h := newHost(t)
	must(t, h.start(h.config("in0", "in1")).Close())
	must(t, loader.Remove(h.dir))
	if h.xdp("in0") != 0 || h.xdp("in1") != 0 {
		t.Error("a program is left")
	}
	if _, err := os.Stat(h.dir); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
	must(t, loader.Remove(h.dir)) // there is nothing
	if _, err := os.Stat(h.dir); !os.IsNotExist(err) {
		t.Errorf("removing nothing made the folder: %v", err)
	}
}

// The folder may be the whole file system, where others keep their pins too.
func TestRemoveLeavesWhatOthersPinned(t *testing.T) {
	h := newHost(t)
	h.dir = h.fs
	for _, name := range []string{"others", "7", "v", "vault"} {
		must(t, os.Mkdir(filepath.Join(h.fs, name), 0o700))
	}
	must(t, h.start(h.config("in0")).Close())
	must(t, loader.Remove(h.dir))
	h.wantLeft("7", "others", "v", "vault")
	if h.xdp("in0") != 0 {
		t.Error("the program is left")
	}
}

// passProgram is somebody else's XDP program.
func passProgram(t *testing.T) *ebpf.Program {
	t.Helper()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.XDP, License: "MIT", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 2), asm.Return()},
	})
	must(t, err)
	t.Cleanup(func() { p.Close() })
	return p
}
