// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"math"
	"net"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/maps"
)

// hops tells the program the next hops of all elements of a service and of all clients.
func (f *fixture) hops(s maps.Service) {
	f.Helper()
	hop := func(ifname, from string, to net.HardwareAddr) (h bpf.WeirHop) {
		h.Ifindex, h.Mtu = f.ifindex[ifname], 1500
		copy(h.Smac[:], hardware(from))
		copy(h.Dmac[:], to)
		return h
	}
	for _, row := range f.steering.Rows(s) {
		var e bpf.WeirElement
		must(f, f.maps.Elements.Lookup(uint32(row.Index), &e))
		e.Hop = hop("be", beMAC, macOf(row.Addr.Addr()))
		must(f, f.maps.Elements.Put(uint32(row.Index), e))
	}
	u := bpf.WeirUplinks{Until: math.MaxInt32}
	u.V4[0].Hop = hop("cl", clMAC, hardware(routerMAC)) // of all: its mask is 0
	u.V6[0].Hop = u.V4[0].Hop
	must(f, f.maps.Uplinks.Put(uint32(0), u))
}
