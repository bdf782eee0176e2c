// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/packet"
)

// flowHash is what the program is to compute: the addresses and ports as they lie in the packet,
// read as words of this machine, the source before the destination, the protocol last.
func flowHash(key [2]uint64, p packet.Packet) uint64 {
	return sipHash16(key, word32(p.Src.Addr())<<32|word32(p.Dst.Addr()),
		word16(p.Src.Port())<<48|word16(p.Dst.Port())<<32|uint64(p.Protocol))
}

func word32(addr netip.Addr) uint64 {
	b := addr.As4()
	return uint64(binary.NativeEndian.Uint32(b[:]))
}

func word16(port uint16) uint64 {
	return uint64(binary.NativeEndian.Uint16([]byte{byte(port >> 8), byte(port)}))
}

// selection is the service's table, as addresses of elements. That it is the right one is a test of package maps.
func (f *fixture) selection(s maps.Service) []netip.AddrPort {
	f.Helper()
	at := map[uint16]netip.AddrPort{}
	for _, row := range f.steering.Rows(s) {
		at[row.Index] = row.Addr
	}
	var inner *ebpf.Map
	must(f, f.maps.Selections.Lookup(uint32(f.serviceRow(s)), &inner))
	defer inner.Close()
	var table []netip.AddrPort
	for cell := range inner.MaxEntries() {
		var c bpf.WeirSelectionCell
		must(f, inner.Lookup(cell, &c))
		for _, row := range c.Elements {
			table = append(table, at[row])
		}
	}
	return table
}

// serviceRow is the service's row in the kernel.
func (f *fixture) serviceRow(s maps.Service) uint16 {
	f.Helper()
	for row := range f.maps.Services.MaxEntries() {
		var at bpf.WeirService
		must(f, f.maps.Services.Lookup(row, &at))
		if at.Kind != 0 && addressOf(at.Addr) == s.VIP.Addr() && at.Protocol == s.Protocol && at.Port == uint16(word16(s.VIP.Port())) {
			return uint16(row)
		}
	}
	f.Fatalf("%s has no row", s)
	return 0
}

// addressOf is an address as it lies in the kernel's memory.
func addressOf(a bpf.WeirAddress) netip.Addr {
	var b [16]byte
	binary.NativeEndian.PutUint64(b[:8], a.Half[0])
	binary.NativeEndian.PutUint64(b[8:], a.Half[1])
	return netip.AddrFrom16(b).Unmap()
}

// Which element a flow gets follows from the key, the flow and the table alone: the hash and the slot are
// computed here by other code.
func TestSelectionAgreesWithModel(t *testing.T) {
	f := newFixture(t)
	key := [2]uint64{0x0123456789abcdef, 0xfedcba9876543210}
	f.change(func(p *bpf.WeirParameters) { p.SelectKey = key })
	f.pool(web(), "10.0.20.1:8080", "10.0.20.2:8080", "10.0.20.3:8080", "10.0.20.4:8080", "10.0.20.5:8080", "10.0.20.6:8080", "10.0.20.7:8080")
	f.pool(dns(), "10.0.20.1:53", "10.0.20.2:53", "10.0.20.8:53")
	const few = 1009
	must(t, f.steering.Configure(dns(), maps.Options{Slots: few}))
	tables := map[string][]netip.AddrPort{vip: f.selection(web()), vipDNS: f.selection(dns())}
	slots := map[string]uint64{vip: maps.SelectionSlots, vipDNS: few}
	random := rand.New(rand.NewPCG(7, 8))
	for range 1500 {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 64 + byte(random.UintN(60)), byte(random.Uint32()), byte(random.Uint32())}), uint16(1+random.UintN(65535)))
		for _, p := range []packet.Packet{tcp(from.String(), vip, packet.SYN, ""), packet.NewUDP(from.String(), vipDNS, []byte("q"))} {
			p = fromClient(p)
			slot := flowHash(key, p) & math.MaxUint32 * slots[p.Dst.String()] >> 32
			want := toElement(p, tables[p.Dst.String()][slot].String())
			f.expect(spec{fmt.Sprintf("%s, slot %d", p.Src, slot), "cl", p.Frame(), "steer_forward", redirect, want.Frame()})
		}
	}
}

// Another key must give another choice, or a client could aim.
func TestSelectionDependsOnKey(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), "10.0.20.1:80", "10.0.20.2:80", "10.0.20.3:80", "10.0.20.4:80")
	chosen := map[uint64]string{}
	for key := range uint64(8) {
		f.change(func(p *bpf.WeirParameters) { p.SelectKey = [2]uint64{key, 0} })
		f.forget()
		for port := range 40 {
			chosen[key] += f.elementOf(t, fmt.Sprintf("10.64.0.1:%d", 1000+port), vip).String()
		}
		if key > 0 && chosen[key] == chosen[key-1] {
			t.Errorf("keys %d and %d choose the same elements for 40 flows", key, key-1)
		}
	}
}

// elementOf sends a SYN and says which element it went to.
func (f *fixture) elementOf(t testing.TB, from, to string) netip.AddrPort {
	t.Helper()
	got := f.run("cl", fromClient(tcp(from, to, packet.SYN, "")).Frame())
	out, err := packet.Decode(got.out)
	if err != nil || got.verdict != "steer_forward" {
		t.Fatalf("SYN of %s: %s, %v", from, got.verdict, err)
	}
	return out.Dst
}

// One client with many ports is spread like many clients: by the weights, within what chance
// allows. A binomial share is within 4.5 standard deviations but once in 150,000 tests; the key
// is fixed, so that this one is the same every time.
func TestSharesOverManyPorts(t *testing.T) {
	f := newFixture(t)
	weights := map[string]uint32{"10.0.20.1:80": 1, "10.0.20.2:80": 2, "10.0.20.3:80": 5, "10.0.20.4:80": 0}
	var list []maps.Element
	for at, weight := range weights {
		list = append(list, maps.Element{PE: weight, Addr: addrPort(at), Weight: weight, State: maps.Active})
	}
	must(t, f.steering.Apply(web(), list))
	const flows = 4000
	count := map[string]int{}
	for port := range flows {
		count[f.elementOf(t, fmt.Sprintf("10.64.0.1:%d", 1024+port), vip).String()]++
	}
	for at, weight := range weights {
		share := float64(weight) / 8
		mean, deviation := flows*share, math.Sqrt(flows*share*(1-share))
		if off := math.Abs(float64(count[at]) - mean); off > 4.5*deviation {
			t.Errorf("%s of weight %d: %d of %d flows, want %.0f ± %.0f", at, weight, count[at], flows, mean, 4.5*deviation)
		}
	}
}

// A slot may name an element that is lost while the agent is still writing the next table: the
// program then looks further, and no client is refused while another element is there.
func TestSelectionAvoidsLostElementBeforeSwap(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), "10.0.20.1:80", "10.0.20.2:80")
	for _, state := range []maps.State{maps.Lost, maps.Draining, maps.Away} {
		f.setRow(addrPort("10.0.20.1:80"), state)
		refused := 0
		for port := range 500 {
			got := f.run("cl", fromClient(tcp(fmt.Sprintf("10.64.0.1:%d", 1024+port), vip, packet.SYN, "")).Frame())
			out, err := packet.Decode(got.out)
			switch {
			case got.verdict == "steer_refused":
				refused++
			case err != nil || out.Dst.String() != "10.0.20.2:80":
				t.Fatalf("%s: went to %s, %v", state, out.Dst, err)
			}
		}
		if refused > 9 { // eight tries leave one in 256: 2 of 500, with a deviation of 1.4
			t.Errorf("%s: %d of 500 flows were refused", state, refused)
		}
		f.forget()
	}
}

// setRow marks an element's row behind the agent's back, without a new table.
func (f *fixture) setRow(at netip.AddrPort, state maps.State) {
	f.Helper()
	for _, row := range f.steering.Rows(web()) {
		var e bpf.WeirElement
		must(f, f.maps.Elements.Lookup(uint32(row.Index), &e))
		if row.Addr == at {
			e.State = uint8(state)
			must(f, f.maps.Elements.Update(uint32(row.Index), e, ebpf.UpdateAny))
		}
	}
}
