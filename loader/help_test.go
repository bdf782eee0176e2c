// SPDX-License-Identifier: Apache-2.0

package loader_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"

	"github.com/weir-lb/weir/loader"
	"github.com/weir-lb/weir/test/lab"
	"github.com/weir-lb/weir/test/require"
)

// host is a machine of its own: a network namespace with the interfaces in0, in1 and in2, whose
// other ends are out0, out1 and out2, and a bpf file system.
type host struct {
	*testing.T
	node *lab.Node
	fs   string // where the bpf file system is mounted
	dir  string // the loader's folder on it
}

func newHost(t *testing.T) *host {
	t.Helper()
	require.Need(t, require.Root, require.BPF, require.NetNS)
	l, err := lab.New("loader", slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	h := &host{T: t}
	h.node, err = l.Node("host")
	must(t, err)
	h.fs, err = l.BPFFS()
	must(t, err)
	h.dir = filepath.Join(h.fs, "weir")
	must(t, h.node.Sysctl("net.ipv4.ip_forward", "1"))
	for _, n := range []string{"0", "1", "2"} {
		h.addInterface(n)
		t.Cleanup(func() { h.removeInterface(n) })
	}
	return h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h *host) inside(do func() error) {
	h.Helper()
	must(h.T, h.node.Do(do))
}

func (h *host) addInterface(n string) {
	h.Helper()
	h.inside(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = "in" + n
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "out" + n})
	})
}

func (h *host) removeInterface(n string) {
	h.Helper()
	h.inside(func() error {
		l, err := netlink.LinkByName("in" + n)
		if err != nil {
			return err
		}
		return netlink.LinkDel(l)
	})
}

// config is of 500 flows and these interfaces.
func (h *host) config(interfaces ...string) loader.Config {
	return loader.Config{Dir: h.dir, Interfaces: interfaces, Flows: 500, Log: slog.New(slog.DiscardHandler)}
}

// load fails the test if it cannot; the datapath is closed when the test ends.
func (h *host) load(cfg loader.Config) *loader.Datapath {
	h.Helper()
	var d *loader.Datapath
	h.inside(func() (err error) {
		d, err = loader.Load(cfg)
		return err
	})
	h.Cleanup(func() { _ = d.Close() })
	return d
}

// start is one run of an agent, up to where it serves.
func (h *host) start(cfg loader.Config) *loader.Datapath {
	h.Helper()
	d := h.load(cfg)
	h.inside(d.Attach)
	return d
}

// refused is what a run of an agent says that cannot start; it leaves as an agent does.
func (h *host) refused(cfg loader.Config) string {
	h.Helper()
	var refusal error
	h.inside(func() error {
		d, err := loader.Load(cfg)
		if refusal = err; err != nil {
			return nil
		}
		refusal = d.Attach()
		return d.Close()
	})
	if refusal == nil {
		h.Fatal("it started")
	}
	return refusal.Error()
}

// xdp is the id of the program on an interface, 0 if there is none.
func (h *host) xdp(name string) (id uint32) {
	h.Helper()
	h.inside(func() error {
		l, err := netlink.LinkByName(name)
		if err == nil && l.Attrs().Xdp != nil {
			id = l.Attrs().Xdp.ProgId
		}
		return err
	})
	return id
}

func (h *host) index(name string) (index uint32) {
	h.Helper()
	h.inside(func() error {
		l, err := netlink.LinkByName(name)
		if err == nil {
			index = uint32(l.Attrs().Index)
		}
		return err
	})
	return index
}

// linkInfo is of the pinned link of an interface.
func (h *host) linkInfo(name string) *link.Info {
	h.Helper()
	l, err := link.LoadPinnedLink(filepath.Join(h.dir, "links", name), nil)
	must(h.T, err)
	defer l.Close()
	info, err := l.Info()
	must(h.T, err)
	return info
}

// left lists what is in the loader's folder, two levels deep, without the maps.
func (h *host) left() []string {
	h.Helper()
	found := []string{}
	entries, err := os.ReadDir(h.dir)
	must(h.T, err)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".debug") { // the kernel's own, at the file system's root
			continue
		}
		found = append(found, e.Name())
		if e.Name() == "links" {
			pins, err := os.ReadDir(filepath.Join(h.dir, "links"))
			must(h.T, err)
			for _, p := range pins {
				found = append(found, "links/"+p.Name())
			}
		}
	}
	return found
}

func (h *host) wantLeft(want ...string) {
	h.Helper()
	if got := h.left(); !slices.Equal(got, want) && len(got)+len(want) > 0 {
		h.Errorf("the folder holds %v, want %v", got, want)
	}
}

func mapID(t *testing.T, m *ebpf.Map) ebpf.MapID {
	t.Helper()
	info, err := m.Info()
	must(t, err)
	id, _ := info.ID()
	return id
}

// targets are the interfaces that packets are redirected to.
func targets(t *testing.T, m *ebpf.Map) []uint32 {
	t.Helper()
	var found []uint32
	var key, value uint32
	it := m.Iterate()
	for it.Next(&key, &value) {
		found = append(found, key)
	}
	must(t, it.Err())
	slices.Sort(found)
	return found
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
