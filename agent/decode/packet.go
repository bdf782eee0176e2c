// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// headers are the headers that a frame may have, each decoded in place. A header that comes twice, as two VLAN tags do, is
// there as its last.
type headers struct {
	parsers map[gopacket.LayerType]*gopacket.DecodingLayerParser // by the first header
	found   []gopacket.LayerType

	ip4  layers.IPv4
	ip6  layers.IPv6
	tcp  layers.TCP
	udp  layers.UDP
	sctp layers.SCTP
}

func newHeaders() *headers {
	h := &headers{parsers: map[gopacket.LayerType]*gopacket.DecodingLayerParser{}}
	known := []gopacket.DecodingLayer{
		&layers.Ethernet{}, &layers.Dot1Q{}, &layers.LinuxSLL{}, &layers.LinuxSLL2{}, &layers.Loopback{},
		&h.ip4, &h.ip6, &layers.IPv6ExtensionSkipper{}, &h.tcp, &h.udp, &h.sctp,
	}
	for _, first := range []gopacket.LayerType{
		layers.LayerTypeEthernet, layers.LayerTypeLinuxSLL, layers.LayerTypeLinuxSLL2, layers.LayerTypeLoopback,
		layers.LayerTypeIPv4, layers.LayerTypeIPv6,
	} {
		h.parsers[first] = gopacket.NewDecodingLayerParser(first, known...)
		h.parsers[first].IgnoreUnsupported = true
	}
	return h
}

// firstHeader is what frame b of a link type begins with; false if the link type is not supported.
func firstHeader(link layers.LinkType, b []byte) (gopacket.LayerType, bool) {
	switch link {
	case layers.LinkTypeEthernet:
		return layers.LayerTypeEthernet, true
	case layers.LinkTypeLinuxSLL:
		return layers.LayerTypeLinuxSLL, true
	case layers.LinkTypeLinuxSLL2:
		return layers.LayerTypeLinuxSLL2, true
	case layers.LinkTypeNull, layers.LinkTypeLoop:
		return layers.LayerTypeLoopback, true
	case layers.LinkTypeIPv4:
		return layers.LayerTypeIPv4, true
	case layers.LinkTypeIPv6:
		return layers.LayerTypeIPv6, true
	case layers.LinkTypeRaw, 12, 14: // 12 and 14 are what some systems write for raw IP
		if len(b) > 0 && b[0]>>4 == 6 {
			return layers.LayerTypeIPv6, true
		}
		return layers.LayerTypeIPv4, true
	}
	return 0, false
}

// frame reads one frame. Frames of other protocols, and those whose headers are damaged, have no messages.
func (d *decoder) frame(link layers.LinkType, b []byte, at time.Time) error {
	first, ok := firstHeader(link, b)
	if !ok {
		return fmt.Errorf("frame %d has link type %d; Ethernet, Linux cooked, raw IP and loopback are supported",
			d.sum.Frames, uint16(link))
	}
	h := d.headers
	// An error leaves the headers before it, and then there is no transport.
	_ = h.parsers[first].DecodeLayers(b, &h.found)
	o := origin{frame: d.sum.Frames, at: at}
	var src, dst netip.Addr
	for _, t := range h.found {
		switch t {
		case layers.LayerTypeIPv4:
			src, dst = addr(h.ip4.SrcIP), addr(h.ip4.DstIP)
		case layers.LayerTypeIPv6:
			src, dst = addr(h.ip6.SrcIP), addr(h.ip6.DstIP)
		}
	}
	if len(h.found) == 0 {
		return nil
	}
	between := func(transport string, from, to uint16) origin {
		o.transport, o.src, o.dst = transport, netip.AddrPortFrom(src, from), netip.AddrPortFrom(dst, to)
		return o
	}
	switch h.found[len(h.found)-1] {
	case layers.LayerTypeSCTP:
		d.sctpPacket(between("sctp", uint16(h.sctp.SrcPort), uint16(h.sctp.DstPort)), h.sctp.VerificationTag, h.sctp.Payload)
	case layers.LayerTypeTCP:
		d.tcpSegment(between("tcp", uint16(h.tcp.SrcPort), uint16(h.tcp.DstPort)), &h.tcp)
	case layers.LayerTypeUDP:
		d.datagram(between("udp", uint16(h.udp.SrcPort), uint16(h.udp.DstPort)), &h.udp)
	case layers.LayerTypeIPv4:
		if more := h.ip4.Flags&layers.IPv4MoreFragments != 0; more && h.ip4.FragOffset == 0 {
			d.fragment(between, h.ip4.Protocol, h.ip4.Payload)
		}
	}
	return nil
}

// fragment says of an IP packet's first fragment that it is not read, if it is one of ours by its ports.
func (d *decoder) fragment(between func(string, uint16, uint16) origin, p layers.IPProtocol, b []byte) {
	names := map[layers.IPProtocol]string{
		layers.IPProtocolSCTP: "sctp", layers.IPProtocolTCP: "tcp", layers.IPProtocolUDP: "udp",
	}
	if names[p] == "" || len(b) < 4 {
		return
	}
	o := between(names[p], binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]))
	if proto, ok := byPort(o); ok {
		d.malformed(o, proto, fault{in: "packet", reason: "an IP fragment; IP fragments are not put together"}, nil)
	}
}

func addr(ip []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a
}

// datagram is an announcement's, by its port.
func (d *decoder) datagram(o origin, udp *layers.UDP) {
	proto, ok := byPort(o)
	if !ok {
		return
	}
	if n := int(udp.Length) - 8; n > len(udp.Payload) {
		reason := fmt.Sprintf("datagram of %d bytes, of which the capture has %d", n, len(udp.Payload))
		d.malformed(o, proto, fault{in: "packet", offset: 4, reason: reason}, udp.Payload)
		return
	}
	d.message(o, proto, udp.Payload, false)
}
