// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func ownAddress(iface *net.Interface) (netip.Addr, error) {
	addrs, err := iface.Addrs()
	if err != nil {
		return netip.Addr{}, err
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
			return p.Addr(), nil
		}
	}
	return netip.Addr{}, fmt.Errorf("interface %s has no IPv4 address", iface.Name)
}

// gatewayMAC is the hardware address of the next hop to target. A datagram makes the kernel
// resolve it, which takes a moment.
func gatewayMAC(ctx context.Context, target netip.AddrPort) (net.HardwareAddr, error) {
	conn, err := net.Dial("udp4", target.String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	hop, index, err := nextHop(target.Addr())
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := conn.Write([]byte{0}); err != nil {
			return nil, fmt.Errorf("resolve %s: %w", hop, err)
		}
		if mac, err := neighbor(index, hop); mac != nil || err != nil {
			return mac, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("resolve %s: %w", hop, ctx.Err())
		case <-tick.C:
		}
	}
}

func nextHop(to netip.Addr) (hop net.IP, index int, err error) {
	routes, err := netlink.RouteGet(to.AsSlice())
	if err != nil || len(routes) == 0 {
		return nil, 0, fmt.Errorf("find the route to %s: %w", to, err)
	}
	if routes[0].Gw != nil {
		return routes[0].Gw, routes[0].LinkIndex, nil
	}
	return to.AsSlice(), routes[0].LinkIndex, nil
}

// neighbor is nil while it is not resolved.
func neighbor(index int, hop net.IP) (net.HardwareAddr, error) {
	neighbors, err := netlink.NeighList(index, unix.AF_INET)
	if err != nil {
		return nil, fmt.Errorf("list the neighbours: %w", err)
	}
	for _, n := range neighbors {
		if n.IP.Equal(hop) && len(n.HardwareAddr) == 6 {
			return n.HardwareAddr, nil
		}
	}
	return nil, nil
}
