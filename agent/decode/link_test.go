// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/weir-lb/weir/agent/decode"
)

// All ways to wrap the same message give the same line.
func TestLinkTypes(t *testing.T) {
	chunk := data(3, 1, 11, unhex(t, ackHex))
	v4 := serialize(t, ipv4(layers.IPProtocolSCTP), sctpHeader(), gopacket.Payload(chunk))
	ip6 := &layers.IPv6{
		Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolSCTP,
		SrcIP: append([]byte{0xfd}, make([]byte, 15)...), DstIP: append([]byte{0xfe}, make([]byte, 15)...),
	}
	v6 := serialize(t, ip6, sctpHeader(), gopacket.Payload(chunk))
	// A destination options header of 8 bytes (RFC 8200 4.6) before SCTP.
	ip6.NextHeader = layers.IPProtocolIPv6Destination
	v6options := serialize(t, ip6, gopacket.Payload(append([]byte{132, 0, 1, 4, 0, 0, 0, 0},
		serialize(t, sctpHeader(), gopacket.Payload(chunk))...)))
	const (
		ends4 = `"source":"10.0.0.11:7777","destination":"10.0.0.1:3863"`
		ends6 = `"source":"[fd00::]:7777","destination":"[fe00::]:3863"`
		macs  = "000000000000 000000000000 "
	)
	tests := []struct {
		name   string
		link   layers.LinkType
		header string
		packet []byte
		ends   string
	}{
		{"Ethernet", layers.LinkTypeEthernet, macs + "0800", v4, ends4},
		{"Ethernet with its padding", layers.LinkTypeEthernet, macs + "0800", append(bytes.Clone(v4), 0, 0, 0, 0, 0), ends4},
		{"Ethernet, IPv6", layers.LinkTypeEthernet, macs + "86dd", v6, ends6},
		{"Ethernet, IPv6 with an extension", layers.LinkTypeEthernet, macs + "86dd", v6options, ends6},
		{"VLAN", layers.LinkTypeEthernet, macs + "8100 0005 0800", v4, ends4},
		{"two VLAN tags", layers.LinkTypeEthernet, macs + "88a8 0006 8100 0005 86dd", v6, ends6},
		{"SLL", layers.LinkTypeLinuxSLL, "0000 0001 0006 000000000000 0000 0800", v4, ends4},
		{"SLL, IPv6", layers.LinkTypeLinuxSLL, "0004 0304 0006 000000000000 0000 86dd", v6, ends6},
		{"SLL2", layers.LinkTypeLinuxSLL2, "0800 0000 00000002 0001 00 06 000000000000 0000", v4, ends4},
		{"SLL2, IPv6", layers.LinkTypeLinuxSLL2, "86dd 0000 00000002 0001 00 06 000000000000 0000", v6, ends6},
		{"raw", layers.LinkTypeRaw, "", v4, ends4},
		{"raw, IPv6", layers.LinkTypeRaw, "", v6, ends6},
		{"raw by its other number", 12, "", v6, ends6},
		{"IPv4", layers.LinkTypeIPv4, "", v4, ends4},
		{"IPv6", layers.LinkTypeIPv6, "", v6, ends6},
		{"BSD loopback", layers.LinkTypeNull, "02000000", v4, ends4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := run(t, pcap(t, tt.link, append(unhex(t, tt.header), tt.packet...)))
			want := `{"frame":1,"time":"2026-11-23T12:00:00.000001000Z",` + tt.ends + `,"transport":"sctp","protocol":"ASAP",` + ackFields
			if len(got) != 1 || got[0] != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
		})
	}
}

// A pcapng file may have interfaces of several link types; its times may have nanoseconds.
func TestPcapNG(t *testing.T) {
	var b bytes.Buffer
	w, err := pcapgo.NewNgWriter(&b, layers.LinkTypeEthernet)
	if err != nil {
		t.Fatal(err)
	}
	second, err := w.AddInterface(pcapgo.NgInterface{Name: "tun0", LinkType: layers.LinkTypeRaw})
	if err != nil {
		t.Fatal(err)
	}
	chunk := gopacket.Payload(data(3, 1, 11, unhex(t, ackHex)))
	for i, f := range [][]byte{
		serialize(t, ethernet(), ipv4(layers.IPProtocolSCTP), sctpHeader(), chunk),
		serialize(t, ipv4(layers.IPProtocolSCTP), &layers.SCTP{SrcPort: 1, DstPort: 2}, chunk),
	} {
		ci := gopacket.CaptureInfo{
			Timestamp: startTime().Add(time.Duration(i)), CaptureLength: len(f), Length: len(f), InterfaceIndex: i * second,
		}
		if err := w.WritePacket(ci, f); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	got, sum := run(t, b.Bytes())
	want := []string{
		`{"frame":1,"time":"2026-11-23T12:00:00.000001000Z","source":"10.0.0.11:7777","destination":"10.0.0.1:3863",` +
			`"transport":"sctp","protocol":"ASAP",` + ackFields,
		`{"frame":2,"time":"2026-11-23T12:00:00.000001001Z","source":"10.0.0.11:1","destination":"10.0.0.1:2",` +
			`"transport":"sctp","protocol":"ASAP",` + ackFields,
	}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if want := (decode.Summary{Frames: 2, Messages: 2}); sum != want {
		t.Errorf("got %+v, want %+v", sum, want)
	}
}
