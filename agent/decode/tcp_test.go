// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/weir-lb/weir/agent/decode"
)

// segment is a frame with a TCP segment to the registrar's port.
func segment(t testing.TB, seq uint32, payload []byte) []byte {
	return tcpFrame(t, &layers.TCP{SrcPort: 40000, DstPort: 3863, Seq: seq, ACK: true}, payload)
}

func syn(t testing.TB, seq uint32) []byte {
	return tcpFrame(t, &layers.TCP{SrcPort: 40000, DstPort: 3863, Seq: seq, SYN: true}, nil)
}

func tcpFrame(t testing.TB, tcp *layers.TCP, payload []byte) []byte {
	return serialize(t, ethernet(), ipv4(layers.IPProtocolTCP), tcp, gopacket.Payload(payload))
}

func ackLine(frame int) string { return fmt.Sprintf(`{"frame":%d "ASAP",%s`, frame, ackFields) }

// Two messages cut in two at every byte, or in pieces of one byte.
func TestTCPSplitAnywhere(t *testing.T) {
	const isn = 0xffffffff - 20 // sequence numbers wrap around
	both := append(unhex(t, "08000018 0009000b 4563686f506f6f00 000e0008 0000aaaa"), unhex(t, ackHex)...)
	const oddLine = `{"frame":%d "ASAP","message_type":"ASAP_ENDPOINT_KEEP_ALIVE_ACK","message_flags":"0x00",` +
		`"message_length":24,"pool_handle":"EchoPoo","pe_identifier":"0x0000aaaa"}`
	for n := 1; n < len(both); n++ {
		got := ethernetLines(t, syn(t, isn), segment(t, isn+1, both[:n]), segment(t, isn+1+uint32(n), both[n:]))
		first := 2
		if n < 24 {
			first = 3
		}
		expect(t, got, fmt.Sprintf(oddLine, first), ackLine(3))
	}
	var frames [][]byte
	for i, b := range both {
		frames = append(frames, segment(t, isn+uint32(i), []byte{b}))
	}
	expect(t, ethernetLines(t, frames...), fmt.Sprintf(oddLine, 24), ackLine(48))
}

// The padding on the stream is not counted by a message whose last parameter needs some.
func TestTCPPadding(t *testing.T) {
	resolution := unhex(t, "05010009 00090005 41 000000")
	const line = `"ASAP","message_type":"ASAP_HANDLE_RESOLUTION","message_flags":"0x01","message_length":9,"s_bit":true,"pool_handle":"A"}`
	got := ethernetLines(t,
		segment(t, 100, resolution[:9]), segment(t, 109, resolution[9:]),
		segment(t, 112, resolution[:9])) // the end of the capture
	expect(t, got, `{"frame":2 `+line, `{"frame":3 `+line)
}

func TestTCPOrder(t *testing.T) {
	ack := unhex(t, ackHex)
	gap := func(frame, n int) string {
		return fmt.Sprintf(`{"frame":%d "ASAP","error":{"in":"stream","offset":0,"reason":`+
			`"%d bytes of the stream before this frame are not in the capture"}}`, frame, n)
	}
	short := func(frame, n int) string {
		return fmt.Sprintf(`{"frame":%d "ASAP","error":{"in":"stream","offset":0,"reason":`+
			`"message of length 24 ends after %d bytes"},"raw":"%s"}`, frame, n, ackHex[:2*n])
	}
	tests := []struct {
		name   string
		frames [][]byte
		want   []string
	}{
		{"swapped", [][]byte{syn(t, 0), segment(t, 11, ack[10:]), segment(t, 1, ack[:10])}, []string{ackLine(3)}},
		{"backwards", [][]byte{syn(t, 0), segment(t, 17, ack[16:]), segment(t, 9, ack[8:16]), segment(t, 1, ack[:8])},
			[]string{ackLine(4)}},
		{"sent again", [][]byte{syn(t, 0), syn(t, 0), segment(t, 1, ack), segment(t, 1, ack), syn(t, 0)}, []string{ackLine(3)}},
		{"overlapping", [][]byte{syn(t, 0), segment(t, 1, ack[:10]), segment(t, 5, ack[4:]), segment(t, 25, ack)},
			[]string{ackLine(3), ackLine(4)}},
		{"overlapping before its turn",
			[][]byte{syn(t, 0), segment(t, 9, ack[8:]), segment(t, 13, ack[12:20]), segment(t, 1, ack[:12])}, []string{ackLine(4)}},
		{"half of all sequence numbers away", [][]byte{syn(t, 0), segment(t, 1, ack), segment(t, 25+1<<31, ack)}, []string{ackLine(2)}},
		{"no SYN", [][]byte{segment(t, 1000, ack)}, []string{ackLine(1)}},
		{"a new connection between the same ports", [][]byte{syn(t, 0), segment(t, 1, ack), syn(t, 9), segment(t, 10, ack)},
			[]string{ackLine(2), ackLine(4)}},
		{"a new connection amid a message", [][]byte{syn(t, 0), segment(t, 1, ack[:9]), syn(t, 99), segment(t, 100, ack)},
			[]string{short(2, 9), ackLine(4)}},
		{"a gap", [][]byte{syn(t, 0), segment(t, 1, ack), segment(t, 49, ack), segment(t, 73, ack)},
			[]string{ackLine(2), gap(3, 24), ackLine(3), ackLine(4)}},
		{"a gap in a message", [][]byte{syn(t, 0), segment(t, 1, ack[:4]), segment(t, 25, ack)},
			[]string{short(2, 4), gap(3, 20), ackLine(3)}},
		{"the end in a header", [][]byte{segment(t, 1, ack[:3])}, []string{
			`{"frame":1 "ASAP","error":{"in":"stream","offset":0,"reason":"message of length 4 ends after 3 bytes"},"raw":"080000"}`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			expect(t, ethernetLines(t, tt.frames...), tt.want...)
		})
	}
}

func TestTCPWithoutFraming(t *testing.T) {
	ack := unhex(t, ackHex)
	got := ethernetLines(t, segment(t, 0, ack), segment(t, 24, unhex(t, "08000003")), segment(t, 28, ack),
		syn(t, 999), segment(t, 1000, ack))
	expect(t, got, ackLine(1),
		`{"frame":2 "ASAP","error":{"in":"stream","offset":0,"reason":"message of length 3; where the next one begins `+
			`is not known, the rest of the stream is not read"},"raw":"08000003"}`,
		ackLine(5))
}

// A malformed message hides none after it.
func TestTCPMalformedMessage(t *testing.T) {
	got := ethernetLines(t, segment(t, 0, append(unhex(t, "08000004"), unhex(t, ackHex)...)))
	expect(t, got, `{"frame":1 "ASAP","error":{"in":"message","offset":0,"cause_code":3,"cause":"invalid values",`+
		`"reason":"no pool handle"},"raw":"08000004"}`, ackLine(1))
}

func TestTLSIsCounted(t *testing.T) {
	hello := unhex(t, "1603010005 0100000100")
	out := &bytes.Buffer{}
	sum, err := decode.Run(bytes.NewReader(pcap(t, layers.LinkTypeEthernet,
		segment(t, 0, hello[:3]), segment(t, 3, hello[3:]), segment(t, 10, hello),
		tcpFrame(t, &layers.TCP{SrcPort: 3864, DstPort: 50000, Seq: 7}, hello))), out)
	if want := (decode.Summary{Frames: 4, Encrypted: 2}); err != nil || sum != want || out.Len() != 0 {
		t.Errorf("%v, %+v: %s", err, sum, out)
	}
}

// By the ports, in either direction: TCP has no payload protocol.
func TestTCPPorts(t *testing.T) {
	frame := func(src, dst layers.TCPPort) []byte {
		return tcpFrame(t, &layers.TCP{SrcPort: src, DstPort: dst, Seq: 1}, unhex(t, "01000004"))
	}
	got := ethernetLines(t, frame(3863, 1), frame(1, 3864), frame(9901, 1), frame(1, 9902), frame(1, 80))
	for i, want := range []string{"ASAP", "ASAP", "ENRP", "ENRP"} {
		if i >= len(got) || !strings.Contains(got[i], `"protocol":"`+want+`"`) || !strings.Contains(got[i], `"transport":"tcp"`) {
			t.Errorf("frame %d: %s", i+1, got)
		}
	}
	if len(got) != 4 {
		t.Errorf("%d lines", len(got))
	}
}
