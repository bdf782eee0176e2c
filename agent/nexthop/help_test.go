// SPDX-License-Identifier: Apache-2.0

package nexthop

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/lab"
	"github.com/weir-lb/weir/test/require"
)

// The gateway of these tests has the interfaces if1 to if4, of which the last is not ours, each with a network
// 10.0.N.0/24 and 2001:db8:N::/64, in which it is .254. The other ends are all at one other node.
const interfaces = 4

type gateway struct {
	*testing.T
	node, far *lab.Node
	links     [interfaces + 1]netlink.Link // by number, from 1
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	require.Need(t, require.Root, require.BPF, require.NetNS)
	l, err := lab.New("nexthop", slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	g := &gateway{T: t}
	g.node, err = l.Node("gw")
	must(t, err)
	g.far, err = l.Node("far")
	must(t, err)
	for n := 1; n <= interfaces; n++ {
		name := fmt.Sprintf("if%d", n)
		must(t, l.Link(
			lab.End{Node: g.node, Name: name, Addr: netip.MustParsePrefix(fmt.Sprintf("2001:db8:%d::254/64", n))},
			lab.End{Node: g.far, Name: name, Addr: netip.MustParsePrefix(fmt.Sprintf("2001:db8:%d::1/64", n))}))
		must(t, g.node.AddAddr(name, netip.MustParsePrefix(fmt.Sprintf("10.0.%d.254/24", n))))
		must(t, g.far.AddAddr(name, netip.MustParsePrefix(fmt.Sprintf("10.0.%d.1/24", n))))
		g.inside(func() (err error) {
			g.links[n], err = netlink.LinkByName(name)
			return err
		})
	}
	must(t, g.node.Sysctl("net.ipv4.ip_forward", "1"))
	must(t, g.node.Sysctl("net.ipv6.conf.all.forwarding", "1"))
	return g
}

func (g *gateway) inside(do func() error) {
	g.Helper()
	must(g.T, g.node.Do(do))
}

func (g *gateway) index(n int) int { return g.links[n].Attrs().Index }

// ours are the indexes of the interfaces that may be a hop's.
func (g *gateway) ours() (list []int) {
	for n := 1; n < interfaces; n++ {
		list = append(list, g.index(n))
	}
	return list
}

// neighbor makes an address behind an interface a resolved neighbour, or one of another state.
func (g *gateway) neighbor(n int, addr netip.Addr, last byte, state int) {
	g.Helper()
	g.inside(func() error {
		return netlink.NeighSet(&netlink.Neigh{LinkIndex: g.index(n), IP: addr.AsSlice(), State: state, HardwareAddr: net.HardwareAddr{2, 0, 0, 1, byte(n), last}})
	})
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// snapshot is what the package sees of the gateway at once.
func (g *gateway) snapshot(k *kernel) (*network, map[target]neighbor) {
	g.Helper()
	ours := map[int]bool{}
	for _, index := range g.ours() {
		ours[index] = true
	}
	t, err := k.read()
	must(g.T, err)
	neighbors, err := k.neighbors(ours)
	must(g.T, err)
	return newNetwork(t, ours), neighbors
}

func (g *gateway) openKernel() (k *kernel) {
	g.Helper()
	g.inside(func() (err error) {
		k, err = openKernel()
		return err
	})
	g.Cleanup(func() { k.Close() })
	return k
}

// answer is the hop to an address of an element.
func answer(n *network, neighbors map[target]neighbor, addr netip.Addr) maps.Hop {
	to, w, ok := n.neighbor(addr)
	if !ok {
		return maps.Hop{}
	}
	return n.hop(w, neighbors[to])
}

// oracle is bpf_fib_lookup itself, as the data plane asks it.
type oracle struct{ program *ebpf.Program }

// fibParameters is the size of struct bpf_fib_lookup (linux/bpf.h).
const fibParameters = 64

// newOracle makes a program whose packet is the helper's parameters, before and after.
func newOracle(t *testing.T) oracle {
	t.Helper()
	code := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R7, asm.R1, 0, asm.Word), // data
		asm.LoadMem(asm.R3, asm.R1, 4, asm.Word), // data_end
		asm.Mov.Reg(asm.R2, asm.R7),
		asm.Add.Imm(asm.R2, fibParameters),
		asm.JGT.Reg(asm.R2, asm.R3, "short"),
	}
	for at := int16(0); at < fibParameters; at += 8 {
		code = append(code, asm.LoadMem(asm.R1, asm.R7, at, asm.DWord), asm.StoreMem(asm.R10, at-fibParameters, asm.R1, asm.DWord))
	}
	code = append(code,
		asm.Mov.Reg(asm.R1, asm.R6), asm.Mov.Reg(asm.R2, asm.R10), asm.Add.Imm(asm.R2, -fibParameters),
		asm.Mov.Imm(asm.R3, fibParameters), asm.Mov.Imm(asm.R4, 0), asm.FnFibLookup.Call())
	for at := int16(0); at < fibParameters; at += 8 {
		code = append(code, asm.LoadMem(asm.R1, asm.R10, at-fibParameters, asm.DWord), asm.StoreMem(asm.R7, at, asm.R1, asm.DWord))
	}
	code = append(code, asm.Return(), asm.Mov.Imm(asm.R0, -1).WithSymbol("short"), asm.Return())
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: "oracle", Type: ebpf.XDP, License: "GPL", Instructions: code})
	must(t, err)
	t.Cleanup(func() { program.Close() })
	return oracle{program}
}

// ask is where the kernel sends a packet that comes in by an interface; none if it does not, or the neighbour is not resolved.
func (o oracle) ask(g *gateway, in int, dst netip.Addr) (h maps.Hop) {
	g.Helper()
	p := make([]byte, fibParameters)
	p[0], p[1] = unix.AF_INET, unix.IPPROTO_TCP
	if dst.Is6() {
		p[0] = unix.AF_INET6
	}
	binary.NativeEndian.PutUint16(p[6:], 40)
	binary.NativeEndian.PutUint32(p[8:], uint32(in))
	copy(p[32:], dst.AsSlice())
	out := make([]byte, fibParameters)
	var ret uint32
	g.inside(func() (err error) {
		ret, err = o.program.Run(&ebpf.RunOptions{Data: p, DataOut: out})
		return err
	})
	if ret != 0 { // BPF_FIB_LKUP_RET_SUCCESS
		return maps.Hop{}
	}
	h.Interface, h.MTU = binary.NativeEndian.Uint32(out[8:]), binary.NativeEndian.Uint16(out[6:])
	copy(h.From[:], out[52:])
	copy(h.To[:], out[58:])
	return h
}
