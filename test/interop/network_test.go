// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lb/weir/test/lab"
	"github.com/weir-lb/weir/test/require"
)

// network is one test's: a router, and a host behind it for each program. If it is a segment then the router is a switch.
type network struct {
	t       *testing.T
	name    string
	lab     *lab.Lab
	router  *lab.Node
	dir     string // what is left of the test
	segment bool
}

// bridge is the router's own interface at a segment.
const bridge = "segment"

// host is one namespace, with one address.
type host struct {
	network *network
	name    string
	node    *lab.Node
	addr    netip.Addr
}

// newNetwork has a router, which does not forward multicasts.
func newNetwork(t *testing.T) *network {
	t.Helper()
	n := emptyNetwork(t)
	n.must(n.router.Sysctl("net.ipv4.ip_forward", "1"))
	n.capture("")
	return n
}

// newSegment has a switch: what one host sends to a group reaches all. Its registrars announce themselves.
func newSegment(t *testing.T) *network {
	t.Helper()
	n := emptyNetwork(t)
	n.segment = true
	n.must(n.router.Bridge(bridge, netip.MustParsePrefix("10.0.0.1/16")))
	n.capture(bridge)
	return n
}

// emptyNetwork makes the test parallel: it waits more than it works.
func emptyNetwork(t *testing.T) *network {
	t.Helper()
	require.Need(t, require.Root, require.NetNS, require.SCTP, require.RSPLib)
	t.Parallel()
	name := strings.ToLower(strings.TrimPrefix(t.Name(), "Test"))
	l, err := lab.New(name, slog.New(slog.DiscardHandler))
	n := &network{t: t, name: name, lab: l, dir: leftovers(t)}
	n.must(err)
	t.Cleanup(func() { n.must(l.Close()) })
	n.router, err = l.Node("router")
	n.must(err)
	return n
}

// leftovers is the directory for the test's capture and its programs' output.
func leftovers(t *testing.T) string {
	t.Helper()
	out := os.Getenv("VM_OUT")
	if out == "" {
		return t.TempDir()
	}
	dir := filepath.Join(out, t.Name())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (n *network) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// theirs makes a host for a program of rsplib; number is below 128 and the test's own.
func (n *network) theirs(name string, number byte) *host {
	n.t.Helper()
	return n.host(name, number)
}

// ours makes a host for a program of Weir.
func (n *network) ours(name string, number byte) *host {
	n.t.Helper()
	return n.host(name, 128+number)
}

func (n *network) host(name string, net byte) *host {
	n.t.Helper()
	node, err := n.lab.Node(name)
	n.must(err)
	addr, gateway := netip.AddrFrom4([4]byte{10, 0, net, 2}), netip.AddrFrom4([4]byte{10, 0, net, 1})
	end, port := lab.End{Node: node, Name: "eth0", Addr: netip.PrefixFrom(addr, 24)}, lab.End{Node: n.router, Name: name}
	if n.segment {
		end.Addr, gateway = netip.PrefixFrom(addr, 16), netip.MustParseAddr("10.0.0.1")
		n.must(n.lab.Link(end, port))
		n.must(n.router.Plug(name, bridge))
		// The kernel's SCTP checks a packet's checksum with a zero in its place. A router hands on a copy, but a switch what
		// the capture is about to write; XDP takes a copy of that.
		n.must(node.AttachPass("eth0"))
	} else {
		port.Addr = netip.PrefixFrom(gateway, 24)
		n.must(n.lab.Link(end, port))
	}
	n.must(node.Route(netip.MustParsePrefix("0.0.0.0/0"), gateway)) // of a multicast it says the interface alone
	return &host{network: n, name: name, node: node, addr: addr}
}

// at is an address of the host.
func (h *host) at(port uint16) string { return netip.AddrPortFrom(h.addr, port).String() }
