// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/maps"
)

// tunnels keeps the addresses that tunnels come from, one a family: that of the configuration, else the
// one that the route to the first element names, as long as it is ours.
type tunnels struct {
	kernel  *bpf.WeirMaps
	log     *slog.Logger
	fixed   maps.TunnelSources // by the configuration
	sources maps.TunnelSources
}

// configure takes what the configuration says. What an earlier run found stays until elements are
// there, so that no packet is lost meanwhile.
func (t *tunnels) configure(sources []netip.Addr) (err error) {
	if t.sources, err = maps.ReadTunnelSources(t.kernel); err != nil {
		return err
	}
	t.fixed = maps.TunnelSources{}
	for _, a := range sources {
		*ofFamily(&t.fixed, a) = a
		*ofFamily(&t.sources, a) = a
	}
	return maps.WriteTunnelSources(t.kernel, t.sources)
}

// reach sees to it that there is an address of each family to send to these elements from.
func (t *tunnels) reach(elements []maps.Element) error {
	found := t.sources
	var errs []error
	for _, v4 := range []bool{true, false} {
		i := slices.IndexFunc(elements, func(e maps.Element) bool { return e.Addr.Addr().Is4() == v4 })
		if i < 0 {
			continue
		}
		to := elements[i].Addr.Addr()
		at := ofFamily(&found, to)
		if ofFamily(&t.fixed, to).IsValid() || at.IsValid() && isOurs(*at) {
			continue
		}
		source, err := sourceTo(to)
		if err != nil {
			errs = append(errs, fmt.Errorf("find the address to tunnel to %s from; set tunnel_source: %w", to, err))
			continue
		}
		*at = source
	}
	if found == t.sources {
		return errors.Join(errs...)
	}
	t.sources = found
	t.log.Info("tunnels come from the addresses that routes to elements name", "ipv4", found.V4, "ipv6", found.V6)
	return errors.Join(append(errs, maps.WriteTunnelSources(t.kernel, found))...)
}

func ofFamily(s *maps.TunnelSources, a netip.Addr) *netip.Addr {
	if a.Is4() {
		return &s.V4
	}
	return &s.V6
}

// isOurs says whether an interface has the address; in doubt it has.
func isOurs(a netip.Addr) bool {
	family := netlink.FAMILY_V6
	if a.Is4() {
		family = netlink.FAMILY_V4
	}
	addrs, err := netlink.AddrList(nil, family)
	return err != nil || slices.ContainsFunc(addrs, func(o netlink.Addr) bool { return o.IP.Equal(a.AsSlice()) })
}

// sourceTo is what the kernel would send from.
func sourceTo(to netip.Addr) (netip.Addr, error) {
	routes, err := netlink.RouteGet(to.AsSlice())
	if err != nil {
		return netip.Addr{}, err
	}
	for _, r := range routes {
		if source, ok := netip.AddrFromSlice(r.Src); ok {
			return source.Unmap(), nil
		}
	}
	return netip.Addr{}, errors.New("the route names no source address")
}
