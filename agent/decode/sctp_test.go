// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"fmt"
	"testing"
)

const (
	begin  = 2
	middle = 0
	end    = 1
	whole  = begin | end
)

// A packet may bundle chunks of several kinds; only DATA with our PPIDs is shown.
func TestBundledChunks(t *testing.T) {
	ack := unhex(t, ackHex)
	sack := unhex(t, "03000010 00000001 0001a000 00000000")
	cookieEcho := unhex(t, "0a000007 616263 00")   // padded, as its length leaves out
	cookie := unhex(t, "0b00000b 000d0007 010203") // padded, too: 11 bytes
	got := ethernetLines(t, sctpFrame(t, cookieEcho, sack,
		data(whole, 1, 11, ack), data(whole, 2, 0, ack), data(whole, 3, 11, cookie), data(whole, 4, 11, ack)))
	expect(t, got,
		`{"frame":1 "ASAP",`+ackFields,
		`{"frame":1 "ASAP","message_type":"ASAP_COOKIE","message_flags":"0x00","message_length":11,"cookie":"010203"}`,
		`{"frame":1 "ASAP",`+ackFields)
}

func TestFragments(t *testing.T) {
	ack := unhex(t, ackHex)
	const last = 0xffffffff // TSNs wrap around
	one := data(begin, last, 11, ack[:5])
	two := data(middle, 0, 11, ack[5:6])
	three := data(end, 1, 11, ack[6:])
	missing := func(frame int, first, last uint32, raw string) string {
		return fmt.Sprintf(`{"frame":%d "ASAP","error":{"in":"packet","offset":0,"reason":"the other fragments of a message `+
			`are missing; TSN %d to %d are there"},"raw":"%s"}`, frame, first, last, raw)
	}
	tests := []struct {
		name   string
		chunks [][]byte // a frame each
		want   []string
	}{
		{"in order", [][]byte{one, two, three}, []string{`{"frame":3 "ASAP",` + ackFields}},
		{"backwards", [][]byte{three, two, one}, []string{`{"frame":3 "ASAP",` + ackFields}},
		{"the middle last", [][]byte{three, one, two}, []string{`{"frame":3 "ASAP",` + ackFields}},
		{"sent again", [][]byte{one, two, two, three, one, two, three}, []string{`{"frame":4 "ASAP",` + ackFields}},
		{"a message before and behind",
			[][]byte{data(whole, last-1, 11, ack), data(whole, 2, 11, ack), one, two, three},
			[]string{`{"frame":1 "ASAP",` + ackFields, `{"frame":2 "ASAP",` + ackFields, `{"frame":5 "ASAP",` + ackFields}},
		{"no middle", [][]byte{one, three}, []string{missing(1, last, last, ackHex[:10]), missing(2, 1, 1, ackHex[12:])}},
		{"no end", [][]byte{one, two}, []string{missing(1, last, 0, ackHex[:10])}},
		{"another message's beginning", [][]byte{one, data(begin, 0, 11, ack[:4])}, []string{missing(1, last, 0, ackHex[:10])}},
		{"another message's end", [][]byte{data(end, last-1, 11, ack[:4]), two, three},
			[]string{missing(1, last-1, last-1, ackHex[:8]), missing(2, 0, 1, ackHex[10:12])}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var frames [][]byte
			for _, c := range tt.chunks {
				frames = append(frames, sctpFrame(t, c))
			}
			expect(t, ethernetLines(t, frames...), tt.want...)
		})
	}
}

// Cut in two at every byte, or in pieces of one byte.
func TestFragmentedAnywhere(t *testing.T) {
	ack := unhex(t, ackHex)
	for n := 1; n < len(ack); n++ {
		got := ethernetLines(t, sctpFrame(t, data(begin, 7, 11, ack[:n]), data(end, 8, 11, ack[n:])))
		expect(t, got, `{"frame":1 "ASAP",`+ackFields)
	}
	var frames [][]byte
	for i := range ack {
		flags := uint8(middle)
		switch i {
		case 0:
			flags = begin
		case len(ack) - 1:
			flags = end
		}
		frames = append(frames, sctpFrame(t, data(flags, uint32(i), 11, ack[i:i+1])))
	}
	expect(t, ethernetLines(t, frames...), `{"frame":24 "ASAP",`+ackFields)
}

// A message that is sent again is shown again, marked.
func TestRetransmission(t *testing.T) {
	ack := unhex(t, ackHex)
	const again = `"message_type":"ASAP_ENDPOINT_KEEP_ALIVE_ACK","message_flags":"0x00","message_length":24,` +
		`"retransmission":true,"pool_handle":"EchoPool","pe_identifier":"0x0000aaaa"}`
	var frames [][]byte
	var want []string
	for i, tsn := range []uint32{5, 3, 5, 6, 2000, 3, 1999, 976, 1999, 5 + 2000} {
		frames = append(frames, sctpFrame(t, data(whole, tsn, 11, ack)))
		rest := ackFields
		if i == 2 || i == 5 || i == 7 || i == 8 { // the second 5; 3 and 976 because they are more than 1023 before 2000
			rest = again
		}
		want = append(want, fmt.Sprintf(`{"frame":%d "ASAP",%s`, i+1, rest))
	}
	expect(t, ethernetLines(t, frames...), want...)
}

func TestMalformedChunks(t *testing.T) {
	ack := unhex(t, ackHex)
	bad := func(frame, offset int, reason, raw string) string {
		return fmt.Sprintf(`{"frame":%d "ASAP","error":{"in":"packet","offset":%d,"reason":"%s"},"raw":"%s"}`, frame, offset, reason, raw)
	}
	long := data(whole, 1, 11, ack)
	long[3] = 44
	got := ethernetLines(t,
		sctpFrame(t, long),
		sctpFrame(t, data(whole, 2, 11, nil)),
		sctpFrame(t, data(whole, 3, 11, ack), unhex(t, "03000003")),
		sctpFrame(t, data(whole, 4, 11, ack), unhex(t, "0300")),
		sctpFrame(t, data(whole, 5, 99, nil)), // not ours
		sctpFrame(t, data(whole, 6, 11, unhex(t, "080000"))),
		sctpFrame(t, data(whole, 7, 11, ack)))
	expect(t, got,
		bad(1, 12, "SCTP chunk of length 44 in 40 bytes", "0003002c00000001000000000000000b"+ackHex),
		bad(2, 12, "SCTP DATA chunk of length 16 has no user data", "0003001000000002000000000000000b"),
		`{"frame":3 "ASAP",`+ackFields,
		bad(3, 52, "SCTP chunk of length 3 in 4 bytes", "03000003"),
		`{"frame":4 "ASAP",`+ackFields,
		bad(4, 52, "2 bytes are no SCTP chunk", "0300"),
		`{"frame":6 "ASAP","error":{"in":"message","offset":0,"reason":"3 bytes are no message"},"raw":"080000"}`,
		`{"frame":7 "ASAP",`+ackFields)
}
