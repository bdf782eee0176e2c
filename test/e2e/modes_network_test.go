// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"log/slog"
	"net/netip"
	"path/filepath"

	"github.com/weir-lb/weir/test/lab"
	"github.com/weir-lb/weir/test/require"
)

// build makes the hosts with addresses of both families: the client's link is 10.0.1.0/24 and fd01::/64, the
// segment of gateway and server 10.0.20.0/24 and fd20::/64. The router sends what is for VIPs to the gateway.
func (m *modeDeployment) build() {
	m.t.Helper()
	require.Need(m.t, require.Root, require.BPF, require.NetNS)
	l, err := lab.New("modes", slog.New(slog.DiscardHandler))
	m.must(err)
	m.lab = l
	m.t.Cleanup(func() {
		if err := l.Close(); err != nil {
			m.t.Error(err)
		}
	})
	bpffs, err := l.BPFFS()
	m.must(err)
	m.pins = filepath.Join(bpffs, "weir")
	for node, name := range map[**lab.Node]string{&m.client: "client", &m.router: "router", &m.gateway: "gateway", &m.server: "server"} {
		*node, err = l.Node(name)
		m.must(err)
		m.must((*node).Sysctl("net.ipv6.conf.default.accept_dad", "0"))
	}
	for _, node := range []*lab.Node{m.router, m.gateway} {
		m.must(node.Sysctl("net.ipv4.ip_forward", "1"))
		m.must(node.Sysctl("net.ipv6.conf.all.forwarding", "1"))
	}
	m.link("client", m.client, "client0", "10.0.1.1/24", "fd01::1/64", "10.0.1.2/24", "fd01::2/64")
	m.must(m.router.Bridge("lan", netip.MustParsePrefix("10.0.20.1/24")))
	m.six(m.router, "lan", "fd20::1/64")
	m.link("gateway", m.gateway, "", "", "", "10.0.20.254/24", "fd20::fe/64")
	m.link("server", m.server, "", "", "", "10.0.20.11/24", "fd20::11/64")
	m.routes()
}

// link joins a host's eth0 (the gateway's front0) to the router's interface, or to its segment.
func (m *modeDeployment) link(name string, node *lab.Node, routerIf, router4, router6, host4, host6 string) {
	m.t.Helper()
	hostIf, port := hostIf, routerIf
	if node == m.gateway {
		hostIf = "front0"
	}
	if routerIf == "" {
		port = "lan-" + name
	}
	end := lab.End{Node: m.router, Name: port}
	if router4 != "" {
		end.Addr = netip.MustParsePrefix(router4)
	}
	m.must(m.lab.Link(lab.End{Node: node, Name: hostIf, Addr: netip.MustParsePrefix(host4)}, end))
	m.six(node, hostIf, host6)
	// A frame that a program sends is lost where the other end has none.
	m.must(m.router.AttachPass(port))
	if routerIf == "" {
		m.must(m.router.Plug(port, "lan"))
	} else {
		m.six(m.router, port, router6)
	}
}

func (m *modeDeployment) six(node *lab.Node, ifname, addr string) {
	m.t.Helper()
	m.must(node.Sysctl("net.ipv6.conf."+ifname+".disable_ipv6", "0"))
	m.must(node.AddAddr(ifname, netip.MustParsePrefix(addr)))
}

func (m *modeDeployment) routes() {
	m.t.Helper()
	for _, r := range []struct {
		node    *lab.Node
		dst, by string
	}{
		{m.client, "0.0.0.0/0", "10.0.1.1"}, {m.client, "::/0", "fd01::1"},
		{m.server, "0.0.0.0/0", "10.0.20.1"}, {m.server, "::/0", "fd20::1"},
		{m.gateway, "0.0.0.0/0", "10.0.20.1"}, {m.gateway, "::/0", "fd20::1"},
		{m.router, vip4 + "/32", "10.0.20.254"}, {m.router, vip6 + "/128", "fd20::fe"},
	} {
		m.must(r.node.Route(netip.MustParsePrefix(r.dst), netip.MustParseAddr(r.by)))
	}
}
