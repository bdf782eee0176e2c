// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"net/netip"
	"testing"

	"github.com/weir-lb/weir/test/lab"
)

// An element behind a router is reached by that one, and its flows take another way when its route does: it is
// an address of server-1's own, which server-2 has another link to.
func TestElementBehindARouter(t *testing.T) {
	d := prepare(t, "router")
	behind := netip.MustParseAddrPort("10.77.0.1:8080")
	network := netip.MustParsePrefix("10.77.0.0/24")
	side := func(host byte) netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 78, 0, host}), 24) }
	d.must(d.servers[0].AddAddr("lo", netip.PrefixFrom(behind.Addr(), 32)))
	d.must(d.lab.Link(lab.End{Node: d.servers[0], Name: "side0", Addr: side(1)}, lab.End{Node: d.servers[1], Name: "side0", Addr: side(2)}))
	d.must(d.servers[1].Sysctl("net.ipv4.ip_forward", "1"))
	d.must(d.servers[1].Route(network, side(1).Addr()))
	d.must(d.gateway.Route(network, hostAddr(firstServer)))

	d.configure("addresses: [10.0.11.2]", "addresses: [10.0.11.2, 10.77.0.1]", "grants:", "keep_alive: {interval: 1h}\n  grants:")
	d.startEdge()
	var err error
	d.webs[0], err = d.servers[0].Start(inRole(roleServe, serverName(0), behind.String()))
	d.must(err)
	d.startPE(0, "--serve", "tcp://"+behind.String())
	d.awaitStates("active")
	via := func(i int) func() bool {
		want := d.nextHop(i)
		return func() bool { return element(d.status(), 0).NextHop == want }
	}
	d.await("the first router is the next hop", via(0))
	c, err := d.dial(web)
	d.must(err)
	t.Cleanup(func() { c.Close() })

	d.must(d.gateway.Route(network, hostAddr(firstServer+1)))
	d.must(d.servers[0].Route(netip.MustParsePrefix("0.0.0.0/0"), side(2).Addr()))
	d.must(d.servers[0].SetLink(hostIf, false)) // nothing goes the old way any more
	d.await("the second router is the next hop", via(1))
	d.awaitAnswer("by another router", c)
}
