// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/weir-lb/weir/agent/decode"
)

func udpFrame(t testing.TB, ip *layers.IPv4, dst layers.UDPPort, payload []byte) []byte {
	return serialize(t, ethernet(), ip, &layers.UDP{SrcPort: 1234, DstPort: dst}, gopacket.Payload(payload))
}

// An announcement with a TCP transport (RFC 5352 2.2.10), and an ENRP presence that the codec may not know.
func TestDatagrams(t *testing.T) {
	announce := unhex(t, "0a000018 11111111 00050010 0f17 0000 00010008 0a000001")
	udp := func(dst layers.UDPPort, b []byte) []byte { return udpFrame(t, ipv4(layers.IPProtocolUDP), dst, b) }
	got := ethernetLines(t, udp(3863, announce), udp(53, announce), udp(3864, announce), udp(3863, announce[:23]))
	expect(t, got,
		`{"frame":1 "ASAP","message_type":"ASAP_SERVER_ANNOUNCE","message_flags":"0x00","message_length":24,`+
			`"server_identifier":"0x11111111","transport_parameters":[{"type":"tcp","port":3863,"addresses":["10.0.0.1"]}]}`,
		`{"frame":4 "ASAP","error":{"in":"message","offset":2,"cause_code":3,"cause":"invalid values",`+
			`"reason":"message of length 24 in 23 bytes"},"raw":"0a00001811111111000500100f170000000100080a0000"}`)
}

func TestENRPDatagram(t *testing.T) {
	presence := unhex(t, "0101000c 11111111 00000000")
	got, _ := run(t, pcap(t, layers.LinkTypeEthernet, udpFrame(t, ipv4(layers.IPProtocolUDP), 9901, presence)))
	want := `{"frame":1,"time":"2026-11-23T12:00:00.000001000Z","source":"10.0.0.11:1234","destination":"10.0.0.1:9901",` +
		`"transport":"udp","protocol":"ENRP","message_type":"ENRP_PRESENCE","message_flags":"0x01","message_length":12,` +
		`"r_flag":true,"sending_servers_id":"0x11111111","receiving_servers_id":"0x00000000"}`
	if len(got) != 1 || got[0] != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// What the capture has only in part: a snapped frame, and a fragmented packet.
func TestPartsOfDatagrams(t *testing.T) {
	announce := unhex(t, "0a000008 11111111")
	snapped := udpFrame(t, ipv4(layers.IPProtocolUDP), 3863, announce)
	first, second := ipv4(layers.IPProtocolUDP), ipv4(layers.IPProtocolUDP)
	first.Flags, second.FragOffset = layers.IPv4MoreFragments, 2
	got := ethernetLines(t, snapped[:14+20+8+5], udpFrame(t, first, 3863, announce), udpFrame(t, second, 3863, announce),
		udpFrame(t, first, 53, announce))
	expect(t, got,
		`{"frame":1 "ASAP","error":{"in":"packet","offset":4,"reason":"datagram of 8 bytes, of which the capture has 5"},`+
			`"raw":"0a00000811"}`,
		`{"frame":2 "ASAP","error":{"in":"packet","offset":0,"reason":"an IP fragment; IP fragments are not put together"}}`)
}

// Errors of the codec come with their cause and offset; what is only to be reported comes with the message.
func TestCodecErrors(t *testing.T) {
	frame := func(tsn uint32, b []byte) []byte { return sctpFrame(t, data(whole, tsn, 11, b)) }
	unknownParam := unhex(t, "02000020 0009000c 4563686f506f6f6c 000e0008 0000aaaa c0de0006 1234 0000")
	got := ethernetLines(t,
		frame(1, unhex(t, "0200000c 00090008 61626364")),
		frame(2, unhex(t, "4f000004")),
		frame(3, unhex(t, "0b000004")),
		frame(4, unknownParam))
	expect(t, got,
		`{"frame":1 "ASAP","error":{"in":"message","offset":0,"cause_code":3,"cause":"invalid values",`+
			`"reason":"no PE identifier"},"raw":"0200000c0009000861626364"}`,
		`{"frame":2 "ASAP","error":{"in":"message","offset":0,"cause_code":2,"cause":"unrecognized message",`+
			`"reason":"0x4f"},"raw":"4f000004"}`,
		`{"frame":3 "ASAP","error":{"in":"message","offset":0,"cause_code":3,"cause":"invalid values",`+
			`"reason":"no cookie"},"raw":"0b000004"}`,
		`{"frame":4 "ASAP","message_type":"ASAP_DEREGISTRATION","message_flags":"0x00","message_length":32,`+
			`"pool_handle":"EchoPool","pe_identifier":"0x0000aaaa","to_report":[{"cause_code":1,`+
			`"cause":"unrecognized parameter","cause_specific_information":"c0de00061234"}]}`)
}

func TestSummary(t *testing.T) {
	_, sum := run(t, pcap(t, layers.LinkTypeEthernet,
		sctpFrame(t, data(whole, 1, 11, unhex(t, ackHex)), data(whole, 2, 11, unhex(t, "4f000004"))), []byte{1, 2, 3}))
	if want := (decode.Summary{Frames: 2, Messages: 1, Malformed: 1}); sum != want {
		t.Errorf("got %+v, want %+v", sum, want)
	}
}
