// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"

	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/lab"
	"github.com/weir-lb/weir/test/packet"
)

// The gateway's network, as its kernel knows it, in both families:
//
//	clients 10.64.0.0/10 -- router 10.0.9.1 -- cl [gateway] be -- elements 10.0.20.0/24
//	        fd64::/16              fd09::1                  |              fd20::/64
//	                                                      other -- element 10.0.30.1, fd30::1
//
// The program is attached to cl and be. Of the elements, .1 to .9 (::1 to ::9) are resolved neighbours, .99
// (::99) is not; .50 (::50) has a route with an MTU of 600 (1280); 10.200.0.1 (fd99::1) has no route at all.
const (
	routerMAC = "02:00:00:00:09:01"
	clMAC     = "02:00:00:00:00:01" // the lab counts the ends of its links
	beMAC     = "02:00:00:00:00:03"

	client    = "10.64.0.1:40000"
	vip       = "10.0.100.1:80"
	vip2      = "10.0.100.2:80"
	vipDNS    = "10.0.100.1:53"
	element1  = "10.0.20.1:8080"
	element2  = "10.0.20.2:8080"
	registrar = "10.0.9.254:3863"

	client6    = "[fd64::1]:40000"
	vip6       = "[fd00:100::1]:80"
	vip62      = "[fd00:100::2]:80"
	vipDNS6    = "[fd00:100::1]:53"
	element6   = "[fd20::1]:8080"
	element62  = "[fd20::2]:8080"
	registrar6 = "[fd09::fe]:3863"
)

func elementMAC(n byte) string { return fmt.Sprintf("02:00:00:00:20:%02x", n) }

// macOf is the MAC address of an element's host: by the last byte of its address.
func macOf(addr netip.Addr) net.HardwareAddr { return hardware(elementMAC(addr.As16()[15])) }

func services() []maps.Service {
	return []maps.Service{
		{VIP: addrPort(vip), Protocol: maps.TCP},
		{VIP: addrPort(vip2), Protocol: maps.TCP},
		{VIP: addrPort(vipDNS), Protocol: maps.UDP},
		{VIP: addrPort(vip6), Protocol: maps.TCP},
		{VIP: addrPort(vip62), Protocol: maps.TCP},
		{VIP: addrPort(vipDNS6), Protocol: maps.UDP},
		{VIP: addrPort(vipDNS), Protocol: packet.UDPLite},
		{VIP: addrPort(vipDNS6), Protocol: packet.UDPLite},
		{VIP: addrPort(vipDNS), Protocol: packet.SCTP},
		{VIP: addrPort(vipDNS6), Protocol: packet.SCTP},
		{VIP: addrPort(vipDNS), Protocol: packet.DCCP},
		{VIP: addrPort(vipDNS6), Protocol: packet.DCCP},
	}
}

func web() maps.Service   { return services()[0] }
func web2() maps.Service  { return services()[1] }
func dns() maps.Service   { return services()[2] }
func web6() maps.Service  { return services()[3] }
func web62() maps.Service { return services()[4] }
func dns6() maps.Service  { return services()[5] }
func lite() maps.Service  { return services()[6] }
func lite6() maps.Service { return services()[7] }
func sctp() maps.Service  { return services()[8] }
func sctp6() maps.Service { return services()[9] }
func dccp() maps.Service  { return services()[10] }
func dccp6() maps.Service { return services()[11] }

// wire makes the gateway with its links.
func (f *fixture) wire(network *lab.Lab) {
	f.Helper()
	var err error
	f.gateway, err = network.Node("gw")
	must(f, err)
	far, err := network.Node("far")
	must(f, err)
	// An address of its own is not looked for on the link: nobody else is there.
	must(f, f.gateway.Sysctl("net.ipv6.conf.default.accept_dad", "0"))
	for _, l := range []struct{ name, addr, addr6 string }{
		{"cl", "10.0.9.254/24", "fd09::fe/64"}, {"be", "10.0.20.254/24", "fd20::fe/64"}, {"other", "10.0.30.254/24", "fd30::fe/64"},
	} {
		must(f, network.Link(lab.End{Node: f.gateway, Name: l.name, Addr: netip.MustParsePrefix(l.addr)}, lab.End{Node: far, Name: l.name}))
		f.ifindex[l.name] = f.index(l.name)
		must(f, f.gateway.Sysctl("net.ipv6.conf."+l.name+".disable_ipv6", "0"))
		must(f, f.gateway.AddAddr(l.name, netip.MustParsePrefix(l.addr6)))
	}
	must(f, f.gateway.Sysctl("net.ipv4.ip_forward", "1"))
	must(f, f.gateway.Sysctl("net.ipv6.conf.all.forwarding", "1"))
	f.routes()
}

// inside runs f where the gateway's interfaces are.
func (f *fixture) inside(do func() error) {
	f.Helper()
	must(f, f.gateway.Do(do))
}

func (f *fixture) index(name string) (index uint32) {
	f.inside(func() error {
		l, err := netlink.LinkByName(name)
		if err == nil {
			index = uint32(l.Attrs().Index)
		}
		return err
	})
	return index
}

func (f *fixture) routes() {
	must(f, f.gateway.Route(netip.MustParsePrefix("10.64.0.0/10"), netip.MustParseAddr("10.0.9.1")))
	must(f, f.gateway.Route(netip.MustParsePrefix("fd64::/16"), netip.MustParseAddr("fd09::1")))
	f.neighbor("cl", "10.0.9.1", routerMAC)
	f.neighbor("cl", "fd09::1", routerMAC)
	for n := byte(1); n <= 9; n++ {
		f.neighbor("be", fmt.Sprintf("10.0.20.%d", n), elementMAC(n))
		f.neighbor("be", fmt.Sprintf("fd20::%d", n), elementMAC(n))
	}
	f.neighbor("be", "10.0.20.50", elementMAC(50))
	f.neighbor("be", "fd20::50", elementMAC(0x50))
	f.neighbor("other", "10.0.30.1", "02:00:00:00:30:01")
	f.neighbor("other", "fd30::1", "02:00:00:00:30:01")
	f.narrowRoute("10.0.20.50/32", 600)
	f.narrowRoute("fd20::50/128", 1280)
}

// narrowRoute gives an element a route with an MTU of its own.
func (f *fixture) narrowRoute(dst string, mtu int) {
	f.Helper()
	_, to, err := net.ParseCIDR(dst)
	must(f, err)
	f.inside(func() error {
		return netlink.RouteAdd(&netlink.Route{
			LinkIndex: int(f.ifindex["be"]), Scope: netlink.SCOPE_LINK, MTU: mtu, MTULock: true, Dst: to,
		})
	})
}

func (f *fixture) neighbor(ifname, ip, mac string) {
	f.inside(func() error {
		return netlink.NeighAdd(&netlink.Neigh{
			LinkIndex: int(f.ifindex[ifname]), State: netlink.NUD_PERMANENT, IP: net.ParseIP(ip), HardwareAddr: hardware(mac),
		})
	})
}

func hardware(mac string) net.HardwareAddr {
	addr, err := net.ParseMAC(mac)
	if err != nil {
		panic(err)
	}
	return addr
}
