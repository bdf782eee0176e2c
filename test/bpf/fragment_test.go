// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/packet"
)

// fragment is a part of a packet without options, extension headers and tags: these bytes behind its IP header
// (RFC 791 3.2, RFC 8200 4.5).
func fragment(p packet.Packet, id uint32, from, to int) []byte {
	whole := p.Frame()
	offset := uint16(from / 8)
	if !p.Is6() {
		part := append(bytes.Clone(whole[:packet.OffsetTransport]), whole[packet.OffsetTransport:][from:to]...)
		if packet.OffsetTransport+to < len(whole) {
			offset |= 0x2000
		}
		binary.BigEndian.PutUint16(part[atTotal:], uint16(len(part)-packet.OffsetIP))
		binary.BigEndian.PutUint16(part[atTotal+2:], uint16(id))
		binary.BigEndian.PutUint16(part[atFragment:], offset)
		return checksummed(part)
	}
	header := []byte{p.Protocol, 0}
	header = binary.BigEndian.AppendUint16(header, offset<<3)
	if packet.OffsetTransport6+to < len(whole) {
		header[3] |= 1
	}
	header = binary.BigEndian.AppendUint32(header, id)
	part := bytes.Join([][]byte{whole[:packet.OffsetTransport6], header, whole[packet.OffsetTransport6:][from:to]}, nil)
	binary.BigEndian.PutUint16(part[packet.OffsetIP+4:], uint16(8+to-from))
	part[packet.OffsetIP+6] = packet.Fragment
	return part
}

// large is a packet of 193 bytes behind the IP header.
func (e ends) large(src, dst string) packet.Packet {
	p := e.packet(src, dst)
	header := map[uint8]int{packet.TCP: 20, packet.UDP: 8}[e.protocol]
	p.DontFragment, p.Payload = false, bytes.Repeat([]byte("0123456789"), 20)[header+7:]
	return p
}

// parts are where the large packet of 193 bytes is cut: the last one is a single byte.
func parts() [][2]int { return [][2]int{{0, 64}, {64, 128}, {128, 192}, {192, 193}} }

func flowsOfAll() map[string]ends {
	return map[string]ends{"TCP": tcp4(), "UDP": udp4(), "TCP6": tcp6(), "UDP6": udp6()}
}

// All fragments of a packet take the way of the first one. Under NAT every one has the new address, and the
// first the new port and a checksum that is right for the whole.
func TestFragmentsTakeOneWay(t *testing.T) {
	f := newFixture(t)
	for name, e := range flowsOfAll() {
		t.Run(name, func(t *testing.T) {
			sub := *f
			sub.TB = t
			sub.forget()
			sub.open(e)
			up, down := fromRouter(e.large(e.client, e.vip)), fromServer(e.large(e.element, e.client))
			toServer, toRouter := toServer(e.large(e.client, e.element)), toRouter(e.large(e.vip, e.client))
			first := fragment(up, 6, 0, 64)
			sub.check(spec{"a first fragment", "cl", first, "steer_forward", redirect, fragment(toServer, 6, 0, 64)})
			for i, part := range parts() {
				cut := func(p packet.Packet, id uint32) []byte { return fragment(p, id, part[0], part[1]) }
				sub.part(up, spec{fmt.Sprintf("part %d, to the element", i), "cl", cut(up, 7), "steer_forward", redirect, cut(toServer, 7)})
				sub.part(down, spec{fmt.Sprintf("part %d, to the client", i), "be", cut(down, 7), "steer_return", redirect, cut(toRouter, 7)})
				sub.part(up, spec{fmt.Sprintf("part %d, tagged", i), "cl", tagged(cut(up, 7), 5), "steer_forward", redirect, cut(toServer, 7)})
			}
		})
	}
}

// part runs a row of a packet whose first fragment, of identification 7, was just there. What all packets
// are put to would take longer than it is remembered, on a slow machine.
func (f *fixture) part(p packet.Packet, s spec) {
	f.Helper()
	rows.add(f.Name(), s.name)
	f.run(s.from, fragment(p, 7, 0, parts()[0][1]))
	f.expect(s)
}

// A first fragment begins a flow as any packet does.
func TestFragmentBeginsAFlow(t *testing.T) {
	f := newFixture(t)
	e := udp4()
	f.pool(e.service, e.element)
	up, out := fromClient(e.large(e.client, e.vip)), toElement(e.large(e.client, e.vip), e.element)
	f.check(spec{"first", "cl", fragment(up, 1, 0, 8), "steer_forward", redirect, fragment(out, 1, 0, 8)})
	f.run("cl", fragment(up, 1, 0, 8))
	f.expect(spec{"last", "cl", fragment(up, 1, 8, 193), "steer_forward", redirect, fragment(out, 1, 8, 193)})
	if n := len(f.entries()); n != 1 {
		t.Errorf("%d flows, want 1", n)
	}
}

func TestFragmentsOfDSR(t *testing.T) {
	f := newFixture(t)
	for name, e := range flowsOfAll() {
		f.open(e)
		must(t, f.steering.Configure(e.service, maps.Options{Mode: maps.DSR}))
		f.narrow(e.service, 1500, 1500)
		up := e.large(e.client, e.vip)
		for i, part := range parts() {
			f.part(fromRouter(up), spec{fmt.Sprintf("%s, part %d", name, i), "cl", fragment(fromRouter(up), 7, part[0], part[1]), "steer_forward", redirect,
				fragment(toServer(up), 7, part[0], part[1])})
		}
	}
}

func TestFragmentsThroughTunnels(t *testing.T) {
	f := newTunnelFixture(t)
	for _, o := range tunnelModes() {
		for _, element := range []string{element41, element61} {
			f.configure(element, o)
			for _, e := range []ends{tcp4(), tcp6()} {
				f.forget()
				up := fromRouter(e.large(e.client, e.vip))
				inside := up
				inside.TTL--
				for i, part := range parts() {
					got := f.run("cl", fragment(up, 3, part[0], part[1]))
					want := fragment(inside, 3, part[0], part[1])[packet.OffsetIP:]
					if got.verdict != "steer_forward" || got.action != redirect || !bytes.HasSuffix(got.out, want) || len(got.out) <= len(want)+packet.OffsetIP {
						t.Errorf("%s by %s to %s, part %d: %s, %s\n%x, want in it\n%x", e.vip, o.Mode, element, i, got.verdict, got.action, got.out, want)
					}
				}
			}
		}
	}
}

// What does not belong to a first fragment that was seen is the stack's.
func TestStrayFragmentsPass(t *testing.T) {
	f := newFixture(t)
	for name, e := range map[string]ends{"IPv4": udp4(), "IPv6": udp6()} {
		f.forget()
		f.open(e)
		up := fromRouter(e.large(e.client, e.vip))
		change := func(do func(*packet.Packet)) packet.Packet { return with(up, do) }
		later := func(p packet.Packet, id uint32) []byte { return fragment(p, id, 64, 193) }
		f.check(spec{name + ", before the first", "cl", later(up, 5), "fragment", pass, nil})
		f.run("cl", fragment(up, 5, 0, 64))
		tiny := fragment(up, 6, 0, 4)
		if !up.Is6() {
			f.check(spec{name + ", without the whole header", "cl", tiny, "steer_malformed", drop, nil})
			f.check(spec{name + ", behind one without", "cl", later(up, 6), "fragment", pass, nil})
		}
		for _, row := range []spec{
			{name: "another identification", in: later(up, 4)},
			{name: "another source", in: later(change(func(p *packet.Packet) { p.Src = addrPort(beside(e.client)) }), 5)},
			{name: "another destination", in: later(change(func(p *packet.Packet) { p.Dst = addrPort(beside(e.vip)) }), 5)},
			{name: "another protocol", in: later(change(func(p *packet.Packet) { p.Protocol = packet.UDPLite }), 5)},
			{name: "the other way", in: later(up.Reply(), 5)},
		} {
			f.check(spec{name + ", " + row.name, "cl", row.in, "fragment", pass, nil})
		}
		elsewhere := change(func(p *packet.Packet) { p.Dst = addrPort(beside(e.vip)) })
		f.check(spec{name + ", the first of no service", "cl", fragment(elsewhere, 5, 0, 64), "fragment", pass, nil})
		f.check(spec{name + ", the others of no service", "cl", later(elsewhere, 5), "fragment", pass, nil})
		stranger := fromServer(e.large(e.element, beside(e.client)))
		f.check(spec{name + ", the first of no flow, from an element", "be", fragment(stranger, 5, 0, 64), "fragment", pass, nil})
	}
}

// beside is another host's address, and the same port.
func beside(s string) string {
	at := addrPort(s)
	return netip.AddrPortFrom(at.Addr().Next(), at.Port()).String()
}

// An identification is used again by later packets: the last first fragment counts.
func TestIdentificationUsedAgain(t *testing.T) {
	f := newFixture(t)
	e := udp4()
	f.open(e)
	first, second := fromClient(e.large(e.client, e.vip)), fromElement(e.large(e.element, e.client))
	f.run("cl", fragment(first, 5, 0, 64))
	drops := maps.Options{Fragments: maps.DropFragments}
	must(t, f.steering.Configure(e.service, drops))
	f.expect(spec{"the way that was remembered", "cl", fragment(first, 5, 64, 193), "steer_forward", redirect,
		fragment(toElement(e.large(e.client, e.vip), e.element), 5, 64, 193)})
	f.run("cl", fragment(first, 5, 0, 64))
	f.expect(spec{"the one of the last first fragment", "cl", fragment(first, 5, 64, 193), "steer_fragment", drop, nil})
	f.check(spec{"way back", "be", fragment(second, 5, 0, 64), "steer_fragment", drop, nil})
}

// A service that takes no fragments drops all of them, in both directions; whole packets pass.
func TestServiceWithoutFragments(t *testing.T) {
	f := newFixture(t)
	for name, e := range flowsOfAll() {
		f.open(e)
		must(t, f.steering.Configure(e.service, maps.Options{Fragments: maps.DropFragments}))
		f.narrow(e.service, 1500, 1500)
		up, down := fromRouter(e.large(e.client, e.vip)), fromServer(e.large(e.element, e.client))
		for i, part := range parts() {
			f.part(up, spec{fmt.Sprintf("%s, part %d", name, i), "cl", fragment(up, 7, part[0], part[1]), "steer_fragment", drop, nil})
			f.part(down, spec{fmt.Sprintf("%s, part %d, back", name, i), "be", fragment(down, 7, part[0], part[1]), "steer_fragment", drop, nil})
		}
		f.check(spec{name + ", whole", "cl", up.Frame(), "steer_forward", redirect, toServer(e.large(e.client, e.element)).Frame()})
	}
}

// The times of the table are sixteenths of a tick.
const (
	fragmentLife  = 32
	fragmentTimes = 1 << 14
)

// ageFragments makes all entries so much older.
func (f *fixture) ageFragments(by uint32) {
	f.Helper()
	f.eachFragment(func(word uint64) uint64 {
		age := (uint32(word)>>18 - by) % fragmentTimes
		return word&^(uint64(fragmentTimes-1)<<18) | uint64(age)<<18
	})
}

// eachFragment changes the entries that are not free.
func (f *fixture) eachFragment(change func(uint64) uint64) (n int) {
	f.Helper()
	memory, err := f.maps.Fragments.Memory()
	must(f, err)
	raw := make([]byte, memory.Size())
	_, err = memory.ReadAt(raw, 0)
	must(f, err)
	for at := 0; at < len(raw); at += 8 {
		if word := binary.NativeEndian.Uint64(raw[at:]); word != 0 {
			binary.NativeEndian.PutUint64(raw[at:], change(word))
			n++
		}
	}
	_, err = memory.WriteAt(raw, 0)
	must(f, err)
	return n
}

func TestFragmentsAreForgotten(t *testing.T) {
	f := newFixture(t)
	e := udp4()
	f.open(e)
	up := fromRouter(e.large(e.client, e.vip))
	last := fragment(up, 5, 64, 193)
	f.run("cl", fragment(up, 5, 0, 64))
	f.ageFragments(fragmentLife - 2)
	if got := f.run("cl", last).verdict; got != "steer_forward" {
		t.Errorf("within its time: %s", got)
	}
	f.ageFragments(8)
	if got := f.run("cl", last).verdict; got != "fragment" {
		t.Errorf("after its time: %s", got)
	}
}

// More first fragments than there is room for: nothing grows, the youngest are remembered, and what is old
// gives way first.
func TestFloodOfFirstFragments(t *testing.T) {
	f := newFixture(t)
	e := udp6()
	f.open(e)
	const room = 8192 * 8
	up := fromRouter(e.large(e.client, e.vip))
	var frames [][]byte
	for id := range uint32(3000) {
		frames = append(frames, fragment(up, id, 0, 64))
	}
	f.runEach("cl", frames, func(i int, got outcome) {
		if got.verdict != "steer_forward" {
			t.Fatalf("%d: %s", i, got.verdict)
		}
	})
	if n := f.eachFragment(func(word uint64) uint64 { return word }); n != len(frames) {
		t.Errorf("%d entries for %d packets that fit", n, len(frames))
	}
	f.fillFragments()
	if n := f.eachFragment(func(word uint64) uint64 { return word }); n != room {
		t.Fatalf("%d entries, want %d", n, room)
	}
	f.ageFragments(1)
	f.runEach("cl", frames[:100], func(int, outcome) {})
	f.runEach("cl", laterOf(up, 100), func(i int, got outcome) {
		if got.verdict != "steer_forward" {
			t.Errorf("identification %d: %s", i, got.verdict)
		}
	})
	if n := f.eachFragment(func(word uint64) uint64 { return word }); n != room {
		t.Errorf("%d entries, want %d", n, room)
	}
}

func laterOf(p packet.Packet, n uint32) (frames [][]byte) {
	for id := range n {
		frames = append(frames, fragment(p, id, 64, 193))
	}
	return frames
}

// fillFragments writes an entry of others into every free place.
func (f *fixture) fillFragments() {
	f.Helper()
	var now uint64
	f.eachFragment(func(word uint64) uint64 { now = word & (uint64(fragmentTimes-1) << 18); return word })
	memory, err := f.maps.Fragments.Memory()
	must(f, err)
	raw := make([]byte, memory.Size())
	for at := 0; at < len(raw); at += 8 {
		binary.NativeEndian.PutUint64(raw[at:], uint64(at+1)<<32|now|1<<16|1)
	}
	_, err = memory.WriteAt(raw, 0)
	must(f, err)
}
