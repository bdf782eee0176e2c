// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"fmt"
	"log/slog"
	"net/netip"

	"github.com/weir-lb/weir/test/lab"
)

// The demo's network: every host has its own link to the gateway, 10.0.N.0/24 with the gateway
// as .1 and the host as .2.
//
//	client ─┐             ┌─ server-1
//	        ├── gateway ──┼─ …
//	attacker┘             └─ server-4
const (
	servers      = 4
	vip          = "10.0.100.1"
	webPort      = 80
	mailPort     = 25
	serverPort   = 8080
	sparePort    = 8081 // the port of a server that enrols while the flood is on
	registrar    = "10.0.0.1:3864"
	clientNet    = 1
	attackerNet  = 2
	firstServer  = 11
	hostIf       = "eth0"
	gatewayIfMax = servers + 2
)

var (
	target = netip.MustParseAddrPort(fmt.Sprintf("%s:%d", vip, webPort))
	// weights are those of server-1 to server-4.
	weights = [servers]int{3, 2, 1, 1}
)

// network is the built lab.
type network struct {
	lab                       *lab.Lab
	gateway, client, attacker *lab.Node
	servers                   [servers]*lab.Node
	bpffs                     string
}

func serverName(i int) string { return fmt.Sprintf("server-%d", i+1) }

func serverAddr(i int) netip.Addr { return hostAddr(firstServer + i) }

func hostAddr(net int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(net), 2}) }

func gatewayAddr(net int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(net), 1}) }

// build makes the namespaces and links. The caller closes the lab, also when build fails.
func build(l *lab.Lab, log *slog.Logger) (*network, error) {
	n := &network{lab: l}
	var err error
	if n.gateway, err = l.Node("gateway"); err != nil {
		return nil, err
	}
	if err = n.gateway.AddAddr("lo", netip.MustParsePrefix("10.0.0.1/32")); err != nil {
		return nil, err
	}
	if err = n.gateway.Sysctl("net.ipv4.ip_forward", "1"); err != nil {
		return nil, err
	}
	if n.client, err = n.host("client", "client0", clientNet); err != nil {
		return nil, err
	}
	if n.attacker, err = n.host("attacker", "attacker0", attackerNet); err != nil {
		return nil, err
	}
	for i := range n.servers {
		if n.servers[i], err = n.host(serverName(i), gatewayIf(i), firstServer+i); err != nil {
			return nil, err
		}
	}
	n.bpffs, err = l.BPFFS()
	log.Info("built the network", "hosts", gatewayIfMax)
	return n, err
}

// gatewayIf is the gateway's interface towards a server.
func gatewayIf(i int) string { return fmt.Sprintf("back%d", i+1) }

// host makes a namespace behind the gateway.
func (n *network) host(name, gatewayIf string, net int) (*lab.Node, error) {
	return n.lab.Host(name,
		lab.End{Name: hostIf, Addr: netip.PrefixFrom(hostAddr(net), 24)},
		lab.End{Node: n.gateway, Name: gatewayIf, Addr: netip.PrefixFrom(gatewayAddr(net), 24)})
}
