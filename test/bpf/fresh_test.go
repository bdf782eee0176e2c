// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/packet"
)

// A next hop that the agent knows, and that is another than the kernel's, so that a packet shows who was asked.
const knownMAC = "02:00:00:00:77:77"

// byAgent is the packet as it is sent to the next hop that the agent knows.
func byAgent(p packet.Packet) packet.Packet {
	p.DstMAC = hardware(knownMAC)
	return p
}

// agentHop is a next hop by an interface, as the agent tells it.
func (f *fixture) agentHop(ifname, from, to string) maps.Hop {
	return maps.Hop{Interface: f.ifindex[ifname], From: [6]byte(hardware(from)), To: [6]byte(hardware(to)), MTU: 1500}
}

// ways tells the program the ways to clients of a family; for so long, or not any more.
func (f *fixture) ways(n family, lead time.Duration, ways ...maps.Uplink) {
	f.Helper()
	u, err := maps.OpenUplinks(f.maps, f.clock)
	must(f, err)
	if n.name == "IPv6" {
		must(f, u.Set(nil, ways))
	} else {
		must(f, u.Set(ways, nil))
	}
	if lead > 0 {
		must(f, u.Renew(lead))
	}
}

func TestNextHopsOfElements(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		f.serve(n)
		segment := fromClient(tcp(n.client, n.vip, syn, ""))
		kernels := toElement(segment, n.element1)
		agents := byAgent(kernels)
		back := agents
		back.SrcMAC = hardware(clMAC)
		stack := with(segment, func(p *packet.Packet) { p.Dst = addrPort(n.element1) })
		for _, tt := range []struct {
			name    string
			hop     maps.Hop
			lead    time.Duration
			verdict string
			action  action
			out     packet.Packet
		}{
			{"known: the kernel is not asked", f.agentHop("be", beMAC, knownMAC), time.Hour, "steer_forward", redirect, agents},
			{"known, but its time is over", f.agentHop("be", beMAC, knownMAC), 0, "steer_forward", redirect, kernels},
			{"not known", maps.Hop{}, time.Hour, "steer_forward", redirect, kernels},
			{"by an interface that is not ours", f.agentHop("other", beMAC, knownMAC), time.Hour, "steer_neighbor", pass, stack},
			{"back where it came from", f.agentHop("cl", clMAC, knownMAC), time.Hour, "steer_forward", tx, back},
		} {
			f.forget()
			must(t, f.steering.SetHops(map[netip.Addr]maps.Hop{addrPort(n.element1).Addr(): tt.hop}))
			f.ways(n, tt.lead)
			f.check(spec{tt.name, "cl", segment.Frame(), tt.verdict, tt.action, tt.out.Frame()})
		}
	})
}

// Of the ways to clients the first whose prefix fits is taken.
func TestWaysToClients(t *testing.T) {
	inFamilies(t, func(f *fixture, n family) {
		f.serve(n)
		segment := fromElement(tcp(n.element1, n.client, ack, "data"))
		kernels := toClient(segment, n.vip)
		agents := byAgent(kernels)
		host, network, all, other := "10.64.0.1/32", "10.64.0.0/10", "0.0.0.0/0", "10.128.0.0/9"
		if n.name == "IPv6" {
			host, network, all, other = "fd64::1/128", "fd64::/16", "::/0", "fd65::/16"
		}
		way := func(prefix, mac string) maps.Uplink {
			return maps.Uplink{Prefix: netip.MustParsePrefix(prefix), Hop: f.agentHop("cl", clMAC, mac)}
		}
		neighbors := maps.Uplink{Prefix: netip.MustParsePrefix(network)}
		for _, tt := range []struct {
			name string
			ways []maps.Uplink
			lead time.Duration
			out  packet.Packet
		}{
			{"by the default route", []maps.Uplink{way(all, knownMAC)}, time.Hour, agents},
			{"by the network's", []maps.Uplink{way(other, routerMAC), way(network, knownMAC), way(all, routerMAC)}, time.Hour, agents},
			{"by the host's own", []maps.Uplink{way(host, knownMAC), way(all, routerMAC)}, time.Hour, agents},
			{"of a network whose hosts are neighbours: the kernel is asked", []maps.Uplink{neighbors, way(all, knownMAC)}, time.Hour, kernels},
			{"none fits: the kernel is asked", []maps.Uplink{way(other, knownMAC)}, time.Hour, kernels},
			{"their time is over: the kernel is asked", []maps.Uplink{way(all, knownMAC)}, 0, kernels},
		} {
			f.forget()
			f.ways(n, 0)
			f.goes("SYN, "+tt.name, tcp(n.client, n.vip, syn, ""), n.element1)
			f.ways(n, tt.lead, tt.ways...)
			f.check(spec{tt.name, "be", segment.Frame(), "steer_return", redirect, tt.out.Frame()})
		}
	})
}
