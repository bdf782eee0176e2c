// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/weir-lb/weir/agent/decode"
)

// ackHex is an ASAP_ENDPOINT_KEEP_ALIVE_ACK by RFC 5352 2.2.8 for the pool "EchoPool".
const ackHex = "080000180009000c4563686f506f6f6c000e00080000aaaa"

// ackFields is what a line says of it.
const ackFields = `"message_type":"ASAP_ENDPOINT_KEEP_ALIVE_ACK","message_flags":"0x00","message_length":24,` +
	`"pool_handle":"EchoPool","pe_identifier":"0x0000aaaa"}`

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// startTime is when a built capture's first frame is; each further one is a second later.
func startTime() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 1000, time.UTC) }

func ethernet() gopacket.SerializableLayer {
	return &layers.Ethernet{SrcMAC: make([]byte, 6), DstMAC: make([]byte, 6), EthernetType: layers.EthernetTypeIPv4}
}

func ipv4(p layers.IPProtocol) *layers.IPv4 {
	return &layers.IPv4{Version: 4, TTL: 64, Protocol: p, SrcIP: []byte{10, 0, 0, 11}, DstIP: []byte{10, 0, 0, 1}}
}

// sctpHeader is from port 7777 to the registrar's.
func sctpHeader() gopacket.SerializableLayer {
	return &layers.SCTP{SrcPort: 7777, DstPort: 3863, VerificationTag: 0x5eed}
}

// data is a DATA chunk (RFC 9260 3.3.1) with its padding.
func data(flags uint8, tsn, ppid uint32, b []byte) []byte {
	c := []byte{0, flags}
	c = binary.BigEndian.AppendUint16(c, uint16(16+len(b)))
	c = binary.BigEndian.AppendUint32(c, tsn)
	c = append(c, 0, 0, 0, 0) // stream 0, number 0
	c = binary.BigEndian.AppendUint32(c, ppid)
	c = append(c, b...)
	return append(c, make([]byte, -len(c)&3)...)
}

func serialize(t testing.TB, stack ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true}, stack...); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(b.Bytes())
}

func sctpFrame(t testing.TB, chunks ...[]byte) []byte {
	return serialize(t, ethernet(), ipv4(layers.IPProtocolSCTP), sctpHeader(), gopacket.Payload(bytes.Join(chunks, nil)))
}

// pcap is a capture file of frames.
func pcap(t testing.TB, link layers.LinkType, frames ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := pcapgo.NewWriter(&b)
	if err := w.WriteFileHeader(65535, link); err != nil {
		t.Fatal(err)
	}
	for i, f := range frames {
		ci := gopacket.CaptureInfo{Timestamp: startTime().Add(time.Duration(i) * time.Second), CaptureLength: len(f), Length: len(f)}
		if err := w.WritePacket(ci, f); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// run decodes a capture that must be readable.
func run(t testing.TB, capture []byte) ([]string, decode.Summary) {
	t.Helper()
	var out bytes.Buffer
	sum, err := decode.Run(bytes.NewReader(capture), &out)
	if err != nil {
		t.Fatal(err)
	}
	return splitLines(out.String()), sum
}

func splitLines(s string) []string { return strings.Split(strings.TrimSuffix(s, "\n"), "\n") }

// ethernetLines decodes frames of Ethernet.
func ethernetLines(t testing.TB, frames ...[]byte) []string {
	t.Helper()
	lines, _ := run(t, pcap(t, layers.LinkTypeEthernet, frames...))
	return lines
}

// expect compares lines by frame number and by their end, from the member "protocol" on.
func expect(t testing.TB, got []string, want ...string) {
	t.Helper()
	for i, line := range got {
		frame, _, _ := strings.Cut(line, `,"time"`)
		_, rest, _ := strings.Cut(line, `"protocol":`)
		got[i] = frame + ` ` + rest
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("\n got %s\nwant %s", g, w)
	}
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
