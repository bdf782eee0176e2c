// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/layers"

	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/packet"
)

// Mutants of many kinds of frames go through the program and through gopacket, and must come to the same end.
// The generator is seeded: a failure shows again, and its frame is all there is to it.
const (
	mutants     = 20_000
	mutantsSeed = 4
	mostFaults  = 20 // are shown
)

func TestProgramAgreesWithGopacket(t *testing.T) {
	random := mutator{rand.New(rand.NewPCG(mutantsSeed, 0))}
	seeds := seedFrames()
	for _, o := range append(tunnelModes(), maps.Options{}, maps.Options{Mode: maps.DSR}) {
		for _, known := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %d, next hops known %t", o.Mode, o.TunnelPort, known), func(t *testing.T) {
				f := newTunnelFixture(t)
				w := newWorld(f, o, known)
				for _, from := range []string{"cl", "be"} { // whatever it is, wherever it comes from
					frames := make([][]byte, mutants/20)
					for i := range frames {
						frames[i] = random.mutant(seeds[random.IntN(len(seeds))])
					}
					f.compare(w, from, append(frames, seeds...))
				}
			})
		}
	}
}

// compare runs the frames, each on the flows that were there before it.
func (f *fixture) compare(w *world, from string, frames [][]byte) {
	f.Helper()
	before, faults, kinds := f.snapshot(), 0, map[string]int{}
	f.runEach(from, frames, func(i int, got outcome) {
		kinds[got.verdict]++
		if fault := w.judge(frames[i]).is(f, from, frames[i], got); fault != "" {
			if faults++; faults <= mostFaults {
				f.Errorf("%s, from %s: %s\n%s", w.options.Mode, from, fault, hex.EncodeToString(frames[i]))
			}
		}
		if strings.HasPrefix(got.verdict, "steer_") { // it may have begun a flow, or changed one
			f.restore(before)
		}
	})
	for _, kind := range []string{"not_ours", "malformed", "fragment", "unreadable", "steer_malformed", "steer_forward", "steer_return", "steer_refused", "guard_not_tcp"} {
		if kinds[kind] < 5 && (kind != "steer_return" || w.options.Mode == maps.NAT) {
			f.Errorf("from %s: only %d of %d frames were %s: %v", from, kinds[kind], len(frames), kind, kinds)
		}
	}
	f.Logf("%s, from %s: %d frames: %v", w.options.Mode, from, len(frames), kinds)
}

// newWorld opens flows in both families, and says what is there. In tunnels each family's packets go to
// elements of the other.
func newWorld(f *fixture, o maps.Options, known bool) *world {
	w := &world{
		services: map[place]string{}, servers: map[place]netip.AddrPort{}, guarded: map[netip.AddrPort]bool{}, clients: map[netip.AddrPort]bool{},
		macs: map[string]net.HardwareAddr{"cl": hardware(clMAC), "be": hardware(beMAC)}, options: o,
	}
	for i, n := range families() {
		element, resolver := n.element1, n.resolver
		if o.Mode.Tunnels() {
			element, resolver = families()[1-i].element1, families()[1-i].resolver
		}
		w.guarded[addrPort(n.registrar)] = true
		w.clients[addrPort(n.client)] = true
		w.services[place{addrPort(n.vip2), packet.TCP}] = ""
		for service, p := range map[maps.Service]packet.Packet{
			n.web: tcp(n.client, n.vip, syn, ""), n.dns: packet.NewUDP(n.client, n.vipDNS, nil), n.lite: udpLite(n.client, n.vipDNS, 0, ""),
			n.sctp: initOf(n.client, n.vipDNS), n.dccp: dccpOf(n.client, n.vipDNS, packet.DCCPRequest, ""),
		} {
			at := resolver
			if p.Protocol == packet.TCP {
				at = element
			}
			must(f, f.steering.Configure(service, o))
			f.pool(service, at)
			if known {
				f.hops(service)
			}
			w.services[place{p.Dst, p.Protocol}] = at
			w.servers[place{addrPort(at), p.Protocol}] = p.Dst
			if got := f.run("cl", fromClient(p).Frame()); got.verdict != "steer_forward" {
				f.Fatalf("a flow of %s: %s", n.name, got.verdict)
			}
		}
	}
	return w
}

// seedFrames are what the mutants are made of: what a gateway sees of both families.
func seedFrames() (frames [][]byte) {
	for _, n := range families() {
		for _, p := range seedPackets(n) {
			for _, tags := range [][]uint16{nil, {100}, {7, 100}} {
				frames = append(frames, fromClient(p).Tagged(tags...).Frame())
			}
			frames = append(frames, append(fromClient(p).Frame(), make([]byte, 18)...))
		}
		frames = append(frames, fromClient(tcp(n.client, n.vip, ack, "")).Tagged(1, 2, 3).Frame())
	}
	for _, list := range [][]packet.Extension{
		{hopByHop()}, {dstOpts()}, {routing(0)}, {routing(1)}, {ah()}, {atomic()}, {hopByHop(), dstOpts(), routing(0), atomic(), ah(), dstOpts()},
		{dstOpts(), dstOpts(), dstOpts(), dstOpts(), dstOpts(), dstOpts(), dstOpts()},
	} {
		for _, p := range []packet.Packet{tcp(client6, vip6, ack, "data"), tcp(element6, client6, ack, "data"), packet.NewUDP(client6, vipDNS6, []byte("query"))} {
			frames = append(frames, fromClient(withExtensions(p, list...)).Frame())
		}
	}
	return frames
}

func seedPackets(n family) []packet.Packet {
	part := func(p packet.Packet, more bool, offset uint16) packet.Packet {
		p.DontFragment, p.MoreFragments, p.FragmentOffset = false, more, offset
		return p
	}
	mss := layers.TCPOption{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{5, 0xb4}}
	segment, datagram := tcp(n.client, n.vip, ack|packet.PSH, "GET / HTTP/1.1"), packet.NewUDP(n.client, n.vipDNS, []byte("query"))
	list := []packet.Packet{
		segment, datagram, udpLite(n.client, n.vipDNS, 0, "query"), udpLite(n.client, n.vipDNS, 10, "query"),
		tcp(n.other, n.vip, syn, ""), tcp(n.other, n.vip, rst, ""), tcp(n.client, n.vip, rst|ack, ""),
		with(tcp(n.other, n.vip, syn, ""), func(p *packet.Packet) { p.TCPOptions = []layers.TCPOption{mss} }),
		with(datagram, func(p *packet.Packet) { p.NoUDPChecksum = true }), with(segment, func(p *packet.Packet) { p.BadChecksum = true }),
		with(segment, func(p *packet.Packet) { p.TTL = 1 }),
		tcp(n.element1, n.client, ack, "HTTP/1.1 200 OK"), packet.NewUDP(n.resolver, n.client, []byte("answer")), udpLite(n.resolver, n.client, 8, "answer"),
		tcp(n.element1, n.other, ack, "data"), part(tcp(n.element1, n.client, ack, "12345678"), true, 0),
		tcp(n.client, n.vip2, syn, "data"), tcp(n.client, n.vip2, fin|packet.PSH, "data"), tcp(n.client, n.vip2, ack, ""),
		part(segment, true, 0), part(segment, true, 8), part(datagram, false, 8), part(tcp(n.client, n.host, ack, "12345678"), true, 0),
		tcp(n.client, n.registrar, syn, ""), tcp(n.client, n.registrar, ack, "data"), packet.NewUDP(n.client, n.registrar, []byte("query")),
		tcp(n.client, n.host, syn, ""), packet.NewSCTP(n.client, n.vip, 7, packet.Init(7)), packet.New(packet.DCCP, n.client, n.vip),
		initOf(n.client, n.vipDNS), chunks(n.other, n.vipDNS, serverTag, packet.ChunkData), chunks(n.client, n.vipDNS, serverTag, packet.ChunkAbort),
		chunks(n.resolver, n.client, clientTag, packet.ChunkData), part(chunks(n.client, n.vipDNS, serverTag, packet.ChunkData), true, 0),
		dccpOf(n.client, n.vipDNS, packet.DCCPData, "data"), dccpOf(n.other, n.vipDNS, packet.DCCPReset, ""), dccpOf(n.resolver, n.client, packet.DCCPResponse, ""),
		packet.NewICMP(addrPort(n.client).Addr().String(), addrPort(n.vip).Addr().String(), map[string]uint8{"IPv4": 8, "IPv6": 128}[n.name], 0),
	}
	if n.name == "IPv4" {
		list = append(list, withOptions(segment), withOptions(datagram), withOptions(tcp(n.element1, n.client, ack, "data")))
	}
	return list
}

// mutator makes mutants of frames.
type mutator struct{ *rand.Rand }

// mutant is the frame with one to three changes.
func (m mutator) mutant(frame []byte) []byte {
	frame = append([]byte(nil), frame...)
	for range 1 + m.IntN(3) {
		frame = m.change(frame)
	}
	return frame
}

// head is how many bytes of a frame are headers, mostly.
const head = 110

func (m mutator) change(frame []byte) []byte {
	at := leastFrame - 2 + m.IntN(min(len(frame), head)-leastFrame+2)
	switch m.IntN(8) {
	case 0: // one bit
		frame[at] ^= 1 << m.IntN(8)
	case 1: // one byte, to what may matter
		frame[at] = []byte{0, 1, 4, 5, 6, 17, 41, 43, 44, 51, 59, 60, 127, 128, 136, 255}[m.IntN(16)]
	case 2: // one byte
		frame[at] = byte(m.Uint32())
	case 3: // a little more or less
		frame[at] += byte(m.IntN(17)) - 8
	case 4: // cut off
		return frame[:leastFrame+m.IntN(len(frame)-leastFrame+1)]
	case 5: // cut short, with the lengths that fit
		if cut := packet.Cut(frame, leastFrame+m.IntN(len(frame)-leastFrame+1)); cut != nil {
			return cut
		}
	case 6: // padding
		return append(frame, make([]byte, m.IntN(40))...)
	case 7: // two bytes of the network or transport header
		if at = packet.OffsetIP + 2*m.IntN(40); at+2 <= len(frame) {
			frame[at], frame[at+1] = byte(m.IntN(2)*m.IntN(256)), byte(m.IntN(100))
		}
	}
	return frame
}
