// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"

	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/packet"
)

// A case is a kind of packet whose time is measured, in a world.
type testCase struct {
	name     string
	world    string
	stream   stream
	opens    []turn   // what each client's flow begins with
	opened   uint32   // clients that have flows when it begins
	verdicts []string // what its packets may become
	empty    bool     // the flow table is emptied before each round
	limit    float64
}

// tableFor is how many flows the tables are made for.
const tableFor = 1_000_000

// The services of the worlds. Clients are from the first address on, those of redirected services from the second.
const (
	client4, clientFar4 = "10.0.0.1:40000", "10.128.0.1:40000"
	client6, clientFar6 = "[2001:db8::1]:40000", "[2001:db8:8000::1]:40000"
)

func service(protocol uint8, vip, element string, o maps.Options) served {
	return served{
		Service: maps.Service{VIP: netip.MustParseAddrPort(vip), Protocol: protocol}, Options: o,
		elements: []netip.AddrPort{netip.MustParseAddrPort(element)},
	}
}

// elsewhere is the service with its elements and clients behind another interface.
func (s served) elsewhere() served {
	s.redirect = true
	return s
}

func nat4() served {
	return service(maps.TCP, "192.0.2.1:80", "198.51.100.1:8080", maps.Options{})
}
func nat6() served {
	return service(maps.TCP, "[2001:db8:1::1]:80", "[2001:db8:2::1]:8080", maps.Options{})
}
func natUDP4() served {
	return service(maps.UDP, "192.0.2.1:53", "198.51.100.1:5353", maps.Options{})
}
func natFar4() served {
	return service(maps.TCP, "192.0.2.2:80", "198.51.100.2:8080", maps.Options{}).elsewhere()
}
func dsr4() served {
	return service(maps.TCP, "192.0.2.3:80", "198.51.100.3:80", maps.Options{Mode: maps.DSR})
}

// Those of the first rows: what Katran does.
func ipip4() served {
	return service(maps.TCP, "192.0.2.4:80", "198.51.100.4:80", maps.Options{Mode: maps.IPIP})
}
func ipipUDP4() served {
	return service(maps.UDP, "192.0.2.4:53", "198.51.100.4:53", maps.Options{Mode: maps.IPIP})
}
func ipip6() served {
	return service(maps.TCP, "[2001:db8:1::4]:80", "[2001:db8:2::4]:80", maps.Options{Mode: maps.IPIP})
}
func gue4() served {
	return service(maps.TCP, "192.0.2.5:80", "198.51.100.5:80", maps.Options{Mode: maps.GUE})
}

// many are so many services with an element each, at addresses one after another.
func many(n int) (all []served) {
	vip, element := netip.MustParseAddr("203.0.0.1"), netip.MustParseAddr("198.18.0.1")
	for range n {
		all = append(all, served{
			Service: maps.Service{VIP: netip.AddrPortFrom(vip, 80), Protocol: maps.TCP}, elements: []netip.AddrPort{netip.AddrPortFrom(element, 8080)},
		})
		vip, element = vip.Next(), element.Next()
	}
	return all
}

// plans are the worlds, by their names. Each has a flow table of its own.
func plans() map[string]plan {
	return map[string]plan{
		"nat4":  {tableFor, []served{nat4(), natUDP4(), natFar4(), dsr4()}},
		"nat6":  {tableFor, []served{nat6()}},
		"ipip4": {tableFor, []served{ipip4(), ipipUDP4(), gue4()}},
		"ipip6": {tableFor, []served{ipip6()}},
		"new":   {tableFor, []served{nat4(), nat6(), ipip4()}},
		"flood": {tableFor, []served{ipip4()}},
		"few":   {tableFor, many(10)},
		"many":  {tableFor, many(10_000)},
	}
}

// clientOf is the first client of a service.
func clientOf(s served) string {
	switch {
	case s.VIP.Addr().Is6() && s.redirect:
		return clientFar6
	case s.VIP.Addr().Is6():
		return client6
	case s.redirect:
		return clientFar4
	}
	return client4
}

func (s served) toService(flags packet.Flags) turn {
	return turnOf(s.packet(clientOf(s), s.VIP.String(), flags), true)
}

func (s served) fromElement(flags packet.Flags) turn {
	return turnOf(s.packet(s.elements[0].String(), clientOf(s), flags), false)
}

func (s served) packet(src, dst string, flags packet.Flags) packet.Packet {
	if s.Protocol == maps.UDP {
		return packet.NewUDP(src, dst, []byte("as long as TCP"))
	}
	return packet.NewTCP(src, dst, flags)
}

// opened are the packets that establish a flow.
func (s served) opened() []turn {
	if s.Mode != maps.NAT {
		return []turn{s.toService(packet.SYN), s.toService(packet.ACK)}
	}
	return []turn{s.toService(packet.SYN), s.fromElement(packet.SYN | packet.ACK), s.toService(packet.ACK)}
}

// established is a case of packets from so many clients that have flows.
func established(world string, s served, name string, flows uint32, limit float64) testCase {
	return testCase{
		name: fmt.Sprintf("%s, %s", name, flowCount(flows)), world: world, verdicts: []string{"steer_forward"}, limit: limit, opens: s.opened(), opened: flows,
		stream: stream{turns: []turn{s.toService(packet.ACK)}, clients: flows, scattered: flows > 1, grows: s.Mode.Tunnels()},
	}
}

// both is a case of both directions of such flows, a packet of each at a time.
func both(world string, s served, name string, flows uint32, limit float64) testCase {
	c := established(world, s, name, flows, limit)
	c.stream.turns = append(c.stream.turns, s.fromElement(packet.ACK))
	c.verdicts = []string{"steer_forward", "steer_return"}
	return c
}

// opening is a case of new flows only, in a table that was emptied.
func opening(s served, name string, limit float64) testCase {
	return testCase{
		name: name, world: "new", verdicts: []string{"steer_forward"}, limit: limit, empty: true,
		stream: stream{turns: []turn{s.toService(packet.SYN)}, clients: 1 << 30, grows: s.Mode.Tunnels()},
	}
}

// flood is the same in a table that is full of flows that are only opening.
func flood(s served, name string, limit float64) testCase {
	c := opening(s, name, limit)
	c.world, c.empty = "flood", false
	c.opens, c.opened = c.stream.turns, 4*tableFor
	return c
}

func plain(name, src, dst string, flags packet.Flags, clients uint32, verdict string, limit float64) testCase {
	return testCase{
		name: name, world: "nat4", verdicts: []string{verdict}, limit: limit,
		stream: stream{turns: []turn{turnOf(packet.NewTCP(src, dst, flags), true)}, clients: clients, scattered: clients > 1},
	}
}

// services is a case of 10,000 flows, which are of so many services.
func services(world string, n uint32) testCase {
	one := many(1)[0]
	packets := []turn{one.toService(packet.SYN), one.fromElement(packet.SYN | packet.ACK), one.toService(packet.ACK)}
	return testCase{
		name: fmt.Sprintf("NAT TCP4, 10k flows, %d services", n), world: world, verdicts: []string{"steer_forward"}, opens: packets, opened: 10_000,
		stream: stream{turns: packets[2:], clients: 10_000, services: n, scattered: true},
	}
}

func flowCount(flows uint32) string {
	switch {
	case flows == 1:
		return "1 flow"
	case flows%1_000_000 == 0:
		return fmt.Sprintf("%dM flows", flows/1_000_000)
	}
	return fmt.Sprintf("%dk flows", flows/1000)
}

// cases are in the order of the report; limits are issue 4's.
func cases() []testCase {
	return []testCase{
		plain("no service", client4, elsewhere, packet.ACK, 1_000_000, "not_ours", 1.4),
		established("ipip4", ipip4(), "IPIP TCP4", 1, 2.6),
		established("ipip6", ipip6(), "IPIP TCP6", 1, 2.8),
		established("ipip4", ipipUDP4(), "IPIP UDP4", 1, 2.8),
		established("ipip4", ipip4(), "IPIP TCP4", 100_000, 7),
		established("ipip4", ipip4(), "IPIP TCP4", 1_000_000, 8),
		established("ipip6", ipip6(), "IPIP TCP6", 1_000_000, 9),
		established("ipip4", gue4(), "GUE TCP4", 1, 3.2),
		established("nat4", dsr4(), "DSR TCP4", 1, 2.6),
		opening(ipip4(), "new flow, IPIP TCP4", 10),
		opening(nat4(), "new flow, NAT TCP4", 10),
		opening(nat6(), "new flow, NAT TCP6", 10),
		flood(ipip4(), "new flow, IPIP TCP4, table full of openings", 0),
		established("nat4", nat4(), "NAT TCP4", 1, 2.6),
		established("nat6", nat6(), "NAT TCP6", 1, 2.8),
		established("nat4", natUDP4(), "NAT UDP4", 1, 2.8),
		established("nat4", natFar4(), "NAT TCP4, redirected", 1, 0),
		both("nat4", nat4(), "NAT both ways, TCP4", 1, 0),
		both("nat4", nat4(), "NAT both ways, TCP4", 10_000, 2.6),
		both("nat4", nat4(), "NAT both ways, TCP4", 100_000, 4),
		both("nat4", nat4(), "NAT both ways, TCP4", 1_000_000, 5),
		both("nat6", nat6(), "NAT both ways, TCP6", 100_000, 4),
		services("few", 10),
		services("many", 10_000),
		plain("guard, admitted", peer, registrar, packet.ACK, 1, "guard_admitted", 0),
		plain("guard, challenged", client4, registrar, packet.SYN, 1_000_000, "guard_challenged", 0),
		plain("guard, unknown flow", client4, registrar, packet.ACK, 1_000_000, "guard_unknown_flow", 0),
	}
}
