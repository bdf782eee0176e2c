// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"

	"github.com/weir-lb/weir/test/lab"
	"github.com/weir-lb/weir/test/require"
)

// The network of a test: every host has its own link to the gateway, 10.0.N.0/24 with the gateway
// as .1 and the host as .2.
//
//	client ── gateway ─┬─ server-1
//	                   └─ server-2
const (
	servers     = 2
	clientNet   = 1
	firstServer = 11
	serverPort  = 8080
	hostIf      = "eth0"
)

// network is a lab and what is in it.
type network struct {
	t               *testing.T
	lab             *lab.Lab
	gateway, client *lab.Node
	servers         [servers]*lab.Node
	pins            string // the gateway's pin directory
}

func hostAddr(net int) netip.Addr    { return netip.AddrFrom4([4]byte{10, 0, byte(net), 2}) }
func gatewayAddr(net int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(net), 1}) }

// server is where a server serves.
func server(i int) netip.AddrPort {
	return netip.AddrPortFrom(hostAddr(firstServer+i), serverPort)
}

func serverName(i int) string { return fmt.Sprintf("server-%d", i+1) }

// gatewayIfs are the gateway's interfaces.
func gatewayIfs() []string { return []string{"client0", "back1", "back2"} }

func newNetwork(t *testing.T, name string) *network {
	t.Helper()
	require.Need(t, require.Root, require.BPF, require.NetNS)
	l, err := lab.New("e2e-"+name, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	n := &network{t: t, lab: l}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	n.must(n.build())
	return n
}

func (n *network) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

func (n *network) build() (err error) {
	bpffs, err := n.lab.BPFFS()
	if err != nil {
		return err
	}
	n.pins = filepath.Join(bpffs, "weir")
	if n.gateway, err = n.lab.Node("gateway"); err != nil {
		return err
	}
	if err = n.gateway.AddAddr("lo", netip.MustParsePrefix("10.0.0.1/32")); err != nil {
		return err
	}
	if err = n.gateway.Sysctl("net.ipv4.ip_forward", "1"); err != nil {
		return err
	}
	if n.client, err = n.host("client", "client0", clientNet); err != nil {
		return err
	}
	for i := range n.servers {
		if n.servers[i], err = n.host(serverName(i), fmt.Sprintf("back%d", i+1), firstServer+i); err != nil {
			return err
		}
	}
	return nil
}

// host makes a namespace behind the gateway.
func (n *network) host(name, gatewayIf string, net int) (*lab.Node, error) {
	return n.lab.Host(name,
		lab.End{Name: hostIf, Addr: netip.PrefixFrom(hostAddr(net), 24)},
		lab.End{Node: n.gateway, Name: gatewayIf, Addr: netip.PrefixFrom(gatewayAddr(net), 24)})
}

// attached are the gateway's interfaces that have an XDP program.
func (n *network) attached() (names []string) {
	n.t.Helper()
	n.must(n.gateway.Do(func() error {
		for _, name := range gatewayIfs() {
			link, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			if xdp := link.Attrs().Xdp; xdp != nil && xdp.Attached {
				names = append(names, name)
			}
		}
		return nil
	}))
	return names
}

// gatewayAnswers tells whether somebody listens at an address of the gateway's own.
func (n *network) gatewayAnswers(address string) bool {
	return n.gateway.Do(func() error {
		conn, err := net.DialTimeout("tcp4", address, clientTimeout)
		if err != nil {
			return err
		}
		return conn.Close()
	}) == nil
}

// detach takes the XDP program off a gateway's interface.
func (n *network) detach(name string) error {
	return n.gateway.Do(func() error {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		const none = -1
		return netlink.LinkSetXdpFdWithFlags(link, none, nl.XDP_FLAGS_DRV_MODE)
	})
}
