// SPDX-License-Identifier: Apache-2.0

package loader_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/loader"
	"github.com/weir-lb/weir/maps"
)

// What these tests' agents serve: a service of each family, with three elements each.
func services() []maps.Service {
	return []maps.Service{
		{VIP: netip.MustParseAddrPort("10.0.100.1:80"), Protocol: maps.TCP},
		{VIP: netip.MustParseAddrPort("[2001:db8:100::1]:80"), Protocol: maps.TCP},
	}
}

func elements(service maps.Service) (all []maps.Element) {
	at := "10.0.20.%d:8080"
	if service.VIP.Addr().Is6() {
		at = "[2001:db8:20::%d]:8080"
	}
	for n := range 3 {
		all = append(all, maps.Element{PE: uint32(n + 1), Addr: netip.MustParseAddrPort(fmt.Sprintf(at, n+1)), Weight: 1, State: maps.Active})
	}
	return all
}

// fill writes what an agent does, and an address that proved itself.
func fill(t *testing.T, d *loader.Datapath) {
	t.Helper()
	parameters(t, d)
	registrar := netip.MustParseAddrPort("10.0.0.1:3863")
	guard, err := maps.OpenGuard(d.Maps, []netip.AddrPort{registrar}, nil)
	must(t, err)
	must(t, guard.Admit(registrar, []netip.AddrPort{netip.MustParseAddrPort("10.0.9.1:5000")}, time.Now().Add(time.Hour)))
	must(t, d.Maps.Proven.Put(bpf.WeirAddress{Half: [2]uint64{13, 14}}, uint64(15)))
	steering, err := maps.OpenSteering(d.Maps, services())
	must(t, err)
	for _, service := range services() {
		must(t, steering.Apply(service, elements(service)))
	}
	must(t, steering.Close())
}

func parameters(t *testing.T, d *loader.Datapath) {
	t.Helper()
	must(t, maps.WriteParameters(d.Maps, d.Clock, maps.Limits{NewcomersPerSecond: 17}, maps.Timeouts{
		TCP: time.Hour, Opening: time.Minute, Closing: time.Minute, UDP: time.Minute}))
}

// state is what of the maps is carried over, but for the flows: keys and values that are not zero.
type state map[string]map[string]string

func stateOf(t *testing.T, m *bpf.WeirMaps) state {
	t.Helper()
	s := state{}
	for name, m := range map[string]*ebpf.Map{
		"settings": m.Settings, "services": m.Services, "elements": m.Elements, "endpoints": m.Endpoints, "proven": m.Proven,
	} {
		s[name] = entries(t, m)
	}
	return s
}

func entries(t *testing.T, m *ebpf.Map) map[string]string {
	t.Helper()
	found := map[string]string{}
	var key, value []byte
	it := m.Iterate()
	for it.Next(&key, &value) {
		if slices.ContainsFunc(value, func(b byte) bool { return b != 0 }) {
			found[string(key)] = string(value)
		}
	}
	must(t, it.Err())
	return found
}

func (s state) check(t *testing.T, got state) {
	t.Helper()
	for name, want := range s {
		if len(want) == 0 || !reflect.DeepEqual(got[name], want) {
			t.Errorf("%s has %d entries, want the same %d as before", name, len(got[name]), len(want))
		}
	}
}

// client is one of many, of either family.
func client(n int, service maps.Service) netip.AddrPort {
	at := netip.AddrFrom4([4]byte{10, 64, byte(n >> 8), byte(n)})
	if service.VIP.Addr().Is6() {
		at = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 14: byte(n >> 8), 15: byte(n)})
	}
	return netip.AddrPortFrom(at, uint16(1024+n))
}

// open begins flows of n clients of each service. Each fifth is answered and goes on.
func (h *host) open(n int) {
	h.Helper()
	h.eachClient(n, func(program *ebpf.Program, i int, c netip.AddrPort, service maps.Service) {
		send(h.T, program, c, service.VIP, true, false)
		if i%5 != 0 {
			return
		}
		for _, e := range elements(service) { // all of them, one of which it is that has the flow
			send(h.T, program, e.Addr, c, true, true)
		}
		send(h.T, program, c, service.VIP, false, true)
	})
}

// goOn is another packet of each of n clients of each service.
func (h *host) goOn(n int) {
	h.Helper()
	h.eachClient(n, func(program *ebpf.Program, _ int, c netip.AddrPort, service maps.Service) {
		send(h.T, program, c, service.VIP, false, true)
	})
}

// eachClient calls do for n clients of each service, with the program in in0.
func (h *host) eachClient(n int, do func(program *ebpf.Program, i int, c netip.AddrPort, service maps.Service)) {
	h.Helper()
	program, err := ebpf.NewProgramFromID(ebpf.ProgramID(h.xdp("in0")))
	must(h.T, err)
	defer program.Close()
	h.inside(func() error {
		for _, service := range services() {
			for i := range n {
				do(program, i, client(i, service), service)
			}
		}
		return nil
	})
}

func send(t *testing.T, program *ebpf.Program, src, dst netip.AddrPort, syn, ack bool) {
	t.Helper()
	tcp := &layers.TCP{SrcPort: layers.TCPPort(src.Port()), DstPort: layers.TCPPort(dst.Port()), SYN: syn, ACK: ack, Seq: 1, Window: 1000}
	var ip gopacket.SerializableLayer
	eth := &layers.Ethernet{SrcMAC: make([]byte, 6), DstMAC: make([]byte, 6), EthernetType: layers.EthernetTypeIPv4}
	if src.Addr().Is4() {
		v4 := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: src.Addr().AsSlice(), DstIP: dst.Addr().AsSlice()}
		must(t, tcp.SetNetworkLayerForChecksum(v4))
		ip = v4
	} else {
		v6 := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolTCP, SrcIP: src.Addr().AsSlice(), DstIP: dst.Addr().AsSlice()}
		must(t, tcp.SetNetworkLayerForChecksum(v6))
		eth.EthernetType, ip = layers.EthernetTypeIPv6, v6
	}
	b := gopacket.NewSerializeBuffer()
	must(t, gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, eth, ip, tcp))
	_, err := program.Run(&ebpf.RunOptions{Data: b.Bytes(), DataOut: make([]byte, 256)})
	must(t, err)
}

// flows are the rows of those that open opened: what the program would find, and whom the agent would tell.
type flows struct {
	rows map[netip.AddrPort][]uint16 // of clients that are known
	tell map[netip.AddrPort]maps.Flow
}

func flowsOf(t *testing.T, d *loader.Datapath, n int) flows {
	t.Helper()
	f := flows{map[netip.AddrPort][]uint16{}, map[netip.AddrPort]maps.Flow{}}
	table, err := maps.OpenFlows(d.Maps, d.Clock)
	must(t, err)
	defer table.Close()
	for _, service := range services() {
		for i := range n {
			c := client(i, service)
			if rows := slices.Compact(table.Elements(c, maps.TCP)); len(rows) > 0 { // twice, if both of its buckets are one
				f.rows[c] = rows
			}
		}
	}
	for row := range uint16(2*3 + 1) {
		found, err := table.ToTell(row)
		must(t, err)
		for _, flow := range found {
			f.tell[flow.Client] = flow
		}
	}
	return f
}

// check says how many of the flows are the same in another table; the others must not be there.
func (f flows) check(t *testing.T, got flows) (same int) {
	t.Helper()
	for c, rows := range got.rows {
		if !slices.Equal(f.rows[c], rows) {
			t.Errorf("the flow of %s is at %v, was at %v", c, rows, f.rows[c])
		}
	}
	for c, flow := range got.tell {
		if f.tell[c] != flow {
			t.Errorf("whom to tell is %v, was %v", flow, f.tell[c])
		}
	}
	for c := range f.tell {
		if _, ok := got.rows[c]; ok && got.tell[c] != f.tell[c] {
			t.Errorf("%s is known and would not be told", c)
		}
	}
	return len(got.rows)
}
