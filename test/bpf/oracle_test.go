// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"encoding/binary"
	"net/netip"

	"github.com/gopacket/gopacket/layers"

	"github.com/weir-lb/weir/test/packet"
)

// sight is what gopacket finds in a frame, as far as a load balancer asks.
type sight struct {
	refused     string // the verdict of a packet whose ports cannot be told
	tags        int
	l3, l4, end int // where its headers begin, and where the packet ends
	v6          bool
	protocol    uint8
	ttl         uint8
	src, dst    netip.AddrPort
	first       bool // of several fragments
	whole       bool // all of the transport's header is there, and its length fits
	flags       packet.Flags
	seq, ack    uint32
	payload     int  // bytes behind TCP's header
	routed      bool // it has to go to other places yet
	isICMPError bool
}

// truncation is what gopacket says when a length leads beyond what is there.
type truncation struct{ seen bool }

func (t *truncation) SetTruncated() { t.seen = true }

// maxTags and maxExtensions are as far as docs/datapath.md says that the program looks.
const (
	maxTags       = 2
	maxExtensions = 6
)

func look(frame []byte) sight {
	s := sight{l3: packet.OffsetIP}
	kind := layers.EthernetType(binary.BigEndian.Uint16(frame[12:]))
	for kind == layers.EthernetTypeDot1Q || kind == layers.EthernetTypeQinQ {
		var tag layers.Dot1Q
		if s.tags == maxTags {
			return s.as("unreadable")
		}
		if tag.DecodeFromBytes(frame[s.l3:], &truncation{}) != nil {
			return s.as("malformed")
		}
		kind = tag.Type
		s.tags++
		s.l3 += 4
	}
	switch kind {
	case layers.EthernetTypeIPv4:
		return s.look4(frame)
	case layers.EthernetTypeIPv6:
		return s.look6(frame)
	}
	return s.as("not_ours")
}

func (s sight) as(verdict string) sight {
	s.refused = verdict
	return s
}

// look4 decodes the header with its options as no-operations: what is in them is not the program's to judge.
func (s sight) look4(frame []byte) sight {
	data := append([]byte(nil), frame[s.l3:]...)
	if len(data) >= 20 {
		for i := 20; i < min(int(data[0]&15)*4, len(data)); i++ {
			data[i] = 1
		}
	}
	var ip layers.IPv4
	var cut truncation
	if ip.DecodeFromBytes(data, &cut) != nil || cut.seen || data[0]>>4 != 4 || binary.BigEndian.Uint16(data[2:]) == 0 {
		return s.as("malformed")
	}
	s.end = s.l3 + int(ip.Length)
	s.l4 = s.l3 + int(ip.IHL)*4
	s.protocol, s.ttl = uint8(ip.Protocol), ip.TTL
	s.addresses(ip.SrcIP, ip.DstIP)
	s.first = ip.Flags&layers.IPv4MoreFragments != 0
	if ip.FragOffset != 0 {
		return s.later()
	}
	return s.transport(frame)
}

// look6 decodes the header as if nothing followed, and goes through what does by itself.
func (s sight) look6(frame []byte) sight {
	data := append([]byte(nil), frame[s.l3:]...)
	if len(data) < 40 || data[0]>>4 != 6 {
		return s.as("malformed")
	}
	length := int(binary.BigEndian.Uint16(data[4:]))
	if length == 0 && data[6] == packet.HopByHop {
		return s.as("unreadable")
	}
	next := layers.IPProtocol(data[6])
	data[6] = uint8(layers.IPProtocolNoNextHeader)
	var ip layers.IPv6
	var cut truncation
	if err := ip.DecodeFromBytes(data, &cut); (err != nil && length != 0) || cut.seen {
		return s.as("malformed")
	}
	s.v6, s.ttl = true, ip.HopLimit
	s.addresses(ip.SrcIP, ip.DstIP)
	s.l4, s.end = s.l3+40, s.l3+40+length
	return s.extensions(frame, next)
}

func (s sight) extensions(frame []byte, next layers.IPProtocol) sight {
	for n := 0; ; n++ {
		rest := frame[s.l4:s.end]
		s.protocol = uint8(next)
		switch next {
		case layers.IPProtocolIPv6HopByHop, layers.IPProtocolIPv6Destination, layers.IPProtocolIPv6Routing,
			layers.IPProtocolIPv6Fragment, layers.IPProtocolAH:
		default:
			return s.transport(frame)
		}
		if n == maxExtensions {
			return s.as("unreadable")
		}
		size, later := s.extension(next, rest)
		if size == 0 {
			return s.as("malformed")
		}
		next = layers.IPProtocol(rest[0])
		s.l4 += size
		if later {
			s.protocol = uint8(next)
			return s.later()
		}
	}
}

// extension returns the header's size, 0 if it is not all there, and whether nothing but a later fragment follows.
func (s *sight) extension(kind layers.IPProtocol, rest []byte) (size int, later bool) {
	switch kind {
	case layers.IPProtocolIPv6Fragment:
		var f layers.IPv6Fragment
		if f.DecodeFromBytes(rest, &truncation{}) != nil {
			return 0, false
		}
		s.first = s.first || f.MoreFragments
		return 8, f.FragmentOffset != 0
	case layers.IPProtocolAH:
		var ah layers.IPSecAH
		if ah.DecodeFromBytes(rest, &truncation{}) != nil {
			return 0, false
		}
		return (int(ah.HeaderLength) + 2) * 4, false
	}
	var skipped layers.IPv6ExtensionSkipper
	if skipped.DecodeFromBytes(rest, &truncation{}) != nil || len(rest) < 8 {
		return 0, false
	}
	if kind == layers.IPProtocolIPv6Routing && rest[3] != 0 {
		s.routed = true
	}
	return len(skipped.Contents), false
}

func (s *sight) addresses(src, dst []byte) {
	from, _ := netip.AddrFromSlice(src)
	to, _ := netip.AddrFromSlice(dst)
	s.src, s.dst = netip.AddrPortFrom(from, 0), netip.AddrPortFrom(to, 0)
}

func hasPorts(protocol uint8) bool {
	switch protocol {
	case packet.TCP, packet.UDP, packet.UDPLite, packet.DCCP, packet.SCTP:
		return true
	}
	return false
}

// later is a fragment without ports. No first one was seen before.
func (s sight) later() sight {
	if hasPorts(s.protocol) {
		return s.as("fragment")
	}
	return s.as("not_ours")
}

func (s sight) transport(frame []byte) sight {
	rest := frame[s.l4:s.end]
	if !hasPorts(s.protocol) {
		isError := map[uint8]string{packet.ICMP: "\x03\x0b\x0c", packet.ICMPv6: "\x01\x02\x03\x04"}[s.protocol]
		for i := range isError {
			s.isICMPError = s.isICMPError || len(rest) > 0 && rest[0] == isError[i]
		}
		return s.as("not_ours")
	}
	if len(rest) < 4 {
		return s.as("malformed")
	}
	s.src = netip.AddrPortFrom(s.src.Addr(), binary.BigEndian.Uint16(rest))
	s.dst = netip.AddrPortFrom(s.dst.Addr(), binary.BigEndian.Uint16(rest[2:]))
	switch s.protocol {
	case packet.TCP:
		s.tcp(rest)
	case packet.UDP:
		var udp layers.UDP
		var cut truncation
		s.whole = udp.DecodeFromBytes(rest, &cut) == nil && udp.Length >= 8 && (!cut.seen || s.first)
	case packet.UDPLite:
		s.whole = len(rest) >= 8
		if n := int(binary.BigEndian.Uint16(append(rest[4:len(rest):len(rest)], 0, 0))); s.whole && n != 0 {
			s.whole = n >= 8 && (n <= len(rest) || s.first)
		}
	case packet.SCTP:
		s.whole = len(rest) >= 12
		if len(rest) >= 16 && (rest[12] == packet.ChunkAbort || rest[12] == packet.ChunkShutdownDone) {
			s.flags = packet.RST
		}
	case packet.DCCP:
		if least := 12; len(rest) >= least {
			if rest[8]&1 != 0 {
				least = 16
			}
			s.whole = int(rest[4])*4 >= least && int(rest[4])*4 <= len(rest)
			s.flags = map[bool]packet.Flags{true: packet.RST}[rest[8]>>1&15 == packet.DCCPReset]
		}
	}
	s.whole = s.whole && !s.routed
	return s
}

// tcp decodes the header with its options as no-operations.
func (s *sight) tcp(rest []byte) {
	data := append([]byte(nil), rest...)
	if len(data) >= 20 {
		for i := 20; i < min(int(data[12]>>4)*4, len(data)); i++ {
			data[i] = 1
		}
	}
	var tcp layers.TCP
	if tcp.DecodeFromBytes(data, &truncation{}) != nil {
		return
	}
	s.whole, s.flags = true, packet.Flags(rest[13])
	s.seq, s.ack, s.payload = tcp.Seq, tcp.Ack, len(tcp.Payload)
}
