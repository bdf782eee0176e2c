// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net"
	"net/netip"
	"strings"

	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/packet"
)

// place is where something listens.
type place struct {
	at       netip.AddrPort
	protocol uint8
}

// world is what the oracle knows of the gateway.
type world struct {
	services map[place]string            // the element, or none
	servers  map[place]netip.AddrPort    // of which service
	guarded  map[netip.AddrPort]bool     // of all protocols
	clients  map[netip.AddrPort]bool     // that have a flow at each service
	options  maps.Options                // of all services
	macs     map[string]net.HardwareAddr // the gateway's
}

// expectation is what is to become of a frame.
type expectation struct {
	verdict  string         // or the beginning of several, before a star
	out      []byte         // nil: it stays as it is; of verdicts that are not known to be one: unjudged
	carried  string         // the interface that it leaves by
	options  maps.Options   // of its service
	to       netip.AddrPort // the element, if the packet stays as it is
	inside   bool           // out is what a tunnel carries
	homeless bool           // from no host's address: the kernel may know no way for it
	relayed  bool           // it may be an error about a flow's packet: other tests say what becomes of that
}

// judge says what is right for a frame.
func (w *world) judge(frame []byte) expectation {
	s := look(frame)
	if s.refused != "" {
		return expectation{verdict: s.refused, relayed: s.isICMPError}
	}
	if element, ours := w.services[place{s.dst, s.protocol}]; ours {
		return w.toService(frame, s, element)
	}
	if w.guarded[s.dst] {
		return expectation{verdict: guardVerdict(s)}
	}
	if service, ours := w.servers[place{s.src, s.protocol}]; ours && s.whole && w.clients[s.dst] && w.options.Mode == maps.NAT {
		return w.carried(frame, s, true, service, "steer_return")
	}
	if s.first && (s.whole || w.servers[place{s.src, s.protocol}] == netip.AddrPort{}) {
		return expectation{verdict: "fragment"}
	}
	return expectation{verdict: "not_ours"}
}

func (w *world) toService(frame []byte, s sight, element string) expectation {
	known := w.clients[s.src]
	switch {
	case !s.whole:
		return expectation{verdict: "steer_malformed"}
	case element == "" || !known:
		if s.flags&packet.RST != 0 {
			return expectation{verdict: "steer_stray"}
		}
	}
	if element != "" {
		return w.carried(frame, s, false, addrPort(element), "steer_forward")
	}
	if s.protocol != packet.TCP {
		return expectation{verdict: "steer_no_element"}
	}
	return expectation{verdict: "steer_refused", out: refusal(frame, s)}
}

func guardVerdict(s sight) string {
	count := 0
	for _, flag := range []packet.Flags{packet.SYN, packet.FIN, packet.RST} {
		if s.flags&flag != 0 {
			count++
		}
	}
	switch {
	case s.protocol != packet.TCP:
		return "guard_not_tcp"
	case s.first:
		return "guard_fragment"
	case !s.whole || count > 1 || s.flags&(packet.SYN|packet.ACK|packet.RST) == 0:
		return "guard_malformed"
	}
	return "guard_*"
}

// refusal is the RST of RFC 9293 3.10.7.1.
func refusal(frame []byte, s sight) []byte {
	p := packet.NewTCP(s.dst.String(), s.src.String(), packet.RST)
	p.SrcMAC, p.DstMAC = frame[0:6], frame[6:12]
	for i := range s.tags {
		tag := frame[12+4*i:]
		p.Tags = append(p.Tags, packet.Tag{Type: binary.BigEndian.Uint16(tag), TCI: binary.BigEndian.Uint16(tag[2:])})
	}
	p.Window = 0
	if s.flags&packet.ACK != 0 {
		p.Seq = s.ack
		return p.Frame()
	}
	p.Flags |= packet.ACK
	p.Ack = s.seq + uint32(s.payload)
	for _, flag := range []packet.Flags{packet.SYN, packet.FIN} {
		if s.flags&flag != 0 {
			p.Ack++
		}
	}
	return p.Frame()
}

// carried is the frame with one end rewritten, on its way.
func (w *world) carried(frame []byte, s sight, source bool, to netip.AddrPort, verdict string) expectation {
	if s.ttl <= 1 {
		return expectation{verdict: "steer_ttl"}
	}
	out := append([]byte(nil), frame[:14]...)
	copy(out[12:], map[bool]string{false: "\x08\x00", true: "\x86\xdd"}[s.v6])
	out = append(out, frame[s.l3:]...)
	from := s.src.Addr()
	e := expectation{verdict: verdict, out: out, carried: "be", homeless: from.IsMulticast() || from.IsUnspecified() || from.IsLinkLocalUnicast() || from.IsLoopback()}
	next := macOf(to.Addr())
	if source {
		e.carried, next = "cl", hardware(routerMAC)
	}
	if w.options.Mode == maps.NAT && s.protocol == packet.SCTP && s.first && to.Port() != map[bool]uint16{false: s.dst.Port(), true: s.src.Port()}[source] {
		return expectation{verdict: "steer_fragment", homeless: e.homeless}
	}
	copy(out[0:], next)
	copy(out[6:], w.macs[e.carried])
	switch w.options.Mode {
	case maps.NAT:
		rewrite(out, s, source, to)
	default:
		age(out[14:], s.v6)
		e.inside = w.options.Mode.Tunnels()
		e.to = to
		e.options = w.options
	}
	return e
}

// age takes one from the time to live.
func age(ip []byte, v6 bool) {
	if v6 {
		ip[7]--
		return
	}
	adjust(ip[10:12], []byte{ip[8], ip[9]}, []byte{ip[8] - 1, ip[9]})
	ip[8]--
}

// rewrite changes address, port, time to live and checksums of a frame without tags.
func rewrite(out []byte, s sight, source bool, to netip.AddrPort) {
	ip, transport := out[14:], out[14+s.l4-s.l3:]
	address, port := ip[16:20], transport[2:4]
	if s.v6 {
		address = ip[24:40]
	}
	if source {
		address, port = ip[12:16], transport[0:2]
		if s.v6 {
			address = ip[8:24]
		}
	}
	before, oldPort, newPort := append([]byte(nil), address...), append([]byte(nil), port...), binary.BigEndian.AppendUint16(nil, to.Port())
	if s.protocol == packet.SCTP { // as wrong as it was
		off := binary.LittleEndian.Uint32(transport[8:]) ^ crcOf(transport[:s.end-s.l4])
		copy(port, newPort)
		binary.LittleEndian.PutUint32(transport[8:], off^crcOf(transport[:s.end-s.l4]))
	}
	copy(address, to.Addr().AsSlice())
	copy(port, newPort)
	if !s.v6 {
		adjust(ip[10:12], before, to.Addr().AsSlice())
	}
	age(ip, s.v6)
	check := transport[6:8]
	if s.protocol == packet.TCP {
		check = transport[16:18]
	}
	datagram := s.protocol == packet.UDP || s.protocol == packet.UDPLite
	if s.protocol == packet.SCTP || datagram && check[0] == 0 && check[1] == 0 {
		return
	}
	adjust(check, append(before, oldPort...), append(to.Addr().AsSlice(), newPort...))
	if datagram && check[0] == 0 && check[1] == 0 {
		check[0], check[1] = 0xff, 0xff
	}
}

// crcOf is the checksum that an SCTP packet has to have (RFC 9260 6.8).
func crcOf(transport []byte) uint32 {
	zeroed := bytes.Clone(transport)
	clear(zeroed[8:12])
	return crc32.Checksum(zeroed, crc32.MakeTable(crc32.Castagnoli))
}

// adjust makes a checksum as wrong as it was, after a change of what it covers: the sum over both is the same.
func adjust(check, before, after []byte) {
	sum := 0
	for i := 0; i < len(before); i += 2 {
		sum += int(binary.BigEndian.Uint16(before[i:])) - int(binary.BigEndian.Uint16(after[i:]))
	}
	sum = (int(binary.BigEndian.Uint16(check)) + sum) % 0xffff
	if sum < 0 {
		sum += 0xffff
	}
	binary.BigEndian.PutUint16(check, uint16(sum))
}

// is says whether an outcome is what was expected, and what is not, if so.
func (e expectation) is(f *fixture, from string, in []byte, got outcome) string {
	if e.homeless && got.verdict == "steer_no_route" {
		e = expectation{verdict: got.verdict}
	}
	if e.relayed && strings.HasPrefix(got.verdict, "steer_") {
		return ""
	}
	name, several := strings.CutSuffix(e.verdict, "*")
	if got.verdict != e.verdict && (!several || !strings.HasPrefix(got.verdict, name)) {
		return got.verdict + ", want " + e.verdict
	}
	if several && got.action == tx {
		return ""
	}
	want := e.out
	if want == nil {
		want = in
	}
	if e.inside {
		return e.tunnels(want, got.out)
	}
	if !sameButZero(want, got.out) {
		return "another packet:\n" + packet.Diff(want, got.out)
	}
	if e.carried != "" && (got.action == tx) != (from == e.carried) {
		return "by " + got.action.String()
	}
	return ""
}

// tunnels says what is wrong with a tunnel's frame that is to carry the packet of another frame.
func (e expectation) tunnels(want, got []byte) string {
	p, err := packet.Decode(got)
	if err != nil {
		return err.Error()
	}
	in := want[14:]
	length, class, protocol, source := int(binary.BigEndian.Uint16(in[2:])), in[1], packet.IPIP, source4
	if in[0]>>4 == 6 {
		length, class, protocol = 40+int(binary.BigEndian.Uint16(in[4:])), in[0]<<4|in[1]>>4, packet.IPv6
	}
	if e.to.Addr().Is6() {
		source = source6
	}
	if e.options.Mode == maps.GUE {
		protocol = packet.UDP
	}
	switch {
	case !sameButZero(in[:length], p.Payload):
		return fmt.Sprintf("another packet inside:\n%x, want\n%x", p.Payload, in[:length])
	case !bytes.HasSuffix(got, in[length:]):
		return fmt.Sprintf("other padding: %x, want at its end %x", got, in[length:])
	case p.Protocol != protocol, p.Src.Addr().String() != source, p.Dst.Addr() != e.to.Addr(), p.TOS != class, p.TTL != 64:
		return fmt.Sprintf("another way: %+v", p)
	case !bytes.Equal(got[:12], want[:12]):
		return fmt.Sprintf("another next hop: %x, want %x", got[:12], want[:12])
	}
	return ""
}

// sameButZero takes the two zeros of a checksum for one (RFC 1071 2(B)).
func sameButZero(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if a[i] == b[i] {
			continue
		}
		if i+1 < len(a) && a[i] == a[i+1] && b[i] == b[i+1] && a[i] == ^b[i] && (a[i] == 0 || b[i] == 0) {
			i++
			continue
		}
		return false
	}
	return true
}
