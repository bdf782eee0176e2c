// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/weir-lb/weir/test/lab"
)

// Flows outlast what becomes of the way to their element: its hardware address changes without a word, the
// link to it goes and comes, and the agent dies, after which the kernel's tables alone are right.
func TestFlowsFollowTheirNextHop(t *testing.T) {
	d := deploy(t, "hops", "grants:", "keep_alive: {interval: 1h}\n  grants:") // else the registrar gives the element up first
	d.awaitHop(0)
	d.awaitHop(1)
	held := d.hold(web)
	first := held[0][0]

	d.moveServer(0, 1)
	d.awaitAnswer("after its server's hardware address changed", first)
	d.awaitHop(0)
	d.expectAnswers(held[1])

	d.must(d.gateway.SetLink("back1", false))
	d.await("a link that is down is nobody's next hop", func() bool { return element(d.status(), 0).NextHop == "" })
	d.must(d.gateway.SetLink("back1", true))
	d.awaitAnswer("after the link was down", first)
	d.awaitHop(0)

	d.killEdge()
	d.expectAnswers(held[0][1:])
	d.moveServer(0, 2)
	d.must(d.gateway.Do(func() error {
		back, err := netlink.LinkByName("back1")
		if err != nil {
			return err
		}
		return netlink.NeighSet(&netlink.Neigh{LinkIndex: back.Attrs().Index, State: netlink.NUD_PERMANENT,
			IP: hostAddr(firstServer).AsSlice(), HardwareAddr: movedTo(2)})
	}))
	d.awaitAnswer("when what a dead agent knew has ended", first)
	d.expectAnswers(held[1])
}

// An IPv6 service's elements are found, and its clients.
func TestNextHopsOfIPv6(t *testing.T) {
	d := prepare(t, "hops6")
	ends := []struct {
		host    *lab.Node
		gateway string
		net     int
	}{{d.client, "client0", clientNet}, {d.servers[0], "back1", firstServer}}
	d.must(d.gateway.Sysctl("net.ipv6.conf.all.forwarding", "1"))
	for _, e := range ends {
		d.must(d.gateway.Sysctl("net.ipv6.conf."+e.gateway+".disable_ipv6", "0"))
		d.must(e.host.Sysctl("net.ipv6.conf."+hostIf+".disable_ipv6", "0"))
		d.must(d.gateway.AddAddr(e.gateway, netip.PrefixFrom(address6(e.net, 1), 64)))
		d.must(e.host.AddAddr(hostIf, netip.PrefixFrom(address6(e.net, 2), 64)))
		d.must(e.host.Route(netip.MustParsePrefix("::/0"), address6(e.net, 1)))
	}
	at := netip.AddrPortFrom(address6(firstServer, 2), serverPort)
	d.configure("vip: 10.0.100.1", "vip: '2001:db8:100::1'", "addresses: [10.0.11.2]", "addresses: [10.0.11.2, '"+at.Addr().String()+"']")
	d.startEdge()
	var err error
	d.webs[0], err = d.servers[0].Start(inRole(roleServe, serverName(0), at.String()))
	d.must(err)
	d.startPE(0, "--serve", "tcp://"+at.String())
	d.awaitStates("active")
	d.awaitHop(0)
	d.must(d.client.Do(func() error {
		for range enough {
			c, err := net.DialTimeout("tcp6", "[2001:db8:100::1]:80", clientTimeout)
			if err != nil {
				return err
			}
			if err := c.Close(); err != nil {
				return err
			}
		}
		return nil
	}))
}

func address6(n, host int) netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf("2001:db8:%d::%d", n, host))
}

// nextHop is how the status names a server on its link.
func (d *deployment) nextHop(i int) (text string) {
	d.t.Helper()
	d.must(d.servers[i].Do(func() error {
		link, err := netlink.LinkByName(hostIf)
		if err == nil {
			text = fmt.Sprintf("back%d %s", i+1, link.Attrs().HardwareAddr)
		}
		return err
	}))
	return text
}

// awaitHop waits until a server is what the status says is its next hop.
func (d *deployment) awaitHop(i int) {
	d.t.Helper()
	want := d.nextHop(i)
	d.await(serverName(i)+" is the next hop "+want, func() bool { return element(d.status(), i).NextHop == want })
}

// awaitAnswer waits until an established connection is answered, which its TCP tries for less and less often.
func (d *deployment) awaitAnswer(when string, c *conn) {
	d.t.Helper()
	began := time.Now()
	if name, err := c.askFor(3 * patience); err != nil || name != c.server {
		d.t.Fatalf("%s a connection to %s: %q, %v", when, c.server, name, err)
	}
	d.t.Logf("%s a connection was answered after %v", when, time.Since(began).Round(time.Millisecond))
}

// movedTo is the hardware address that a server has after so many moves.
func movedTo(n byte) net.HardwareAddr { return net.HardwareAddr{2, 0, 0, 0, 0x77, n} }

// moveServer changes a server's hardware address, and keeps it from saying so.
func (d *deployment) moveServer(i int, n byte) {
	d.t.Helper()
	var gateway net.HardwareAddr
	d.must(d.gateway.Do(func() error {
		link, err := netlink.LinkByName(fmt.Sprintf("back%d", i+1))
		if err == nil {
			gateway = link.Attrs().HardwareAddr
		}
		return err
	}))
	d.must(d.servers[i].Do(func() error {
		link, err := netlink.LinkByName(hostIf)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetHardwareAddr(link, movedTo(n)); err != nil {
			return err
		}
		return netlink.NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT,
			IP: gatewayAddr(firstServer + i).AsSlice(), HardwareAddr: gateway})
	}))
}
