// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"runtime"
	"testing"

	"github.com/gopacket/gopacket/layers"

	"github.com/weir-lb/weir/agent/decode"
)

// endless is a capture of n frames, each made from the same one by change, and the most heap in use while it was read.
type endless struct {
	frame  []byte
	change func(frame []byte, i uint32)
	n, i   uint32
	rest   []byte
	heap   uint64
}

func newEndless(t *testing.T, n uint32, frame []byte, change func([]byte, uint32)) *endless {
	return &endless{frame: frame, change: change, n: n, rest: pcap(t, layers.LinkTypeEthernet)}
}

func (e *endless) Read(p []byte) (int, error) {
	if len(e.rest) == 0 {
		if e.i == e.n {
			return 0, io.EOF
		}
		if e.i%(e.n/8) == 0 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			e.heap = max(e.heap, m.HeapAlloc)
		}
		e.change(e.frame, e.i)
		e.i++
		header := binary.LittleEndian.AppendUint32(make([]byte, 8), uint32(len(e.frame)))
		e.rest = append(binary.LittleEndian.AppendUint32(header, uint32(len(e.frame))), e.frame...)
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// Whatever waits for something that never comes is given up in time.
func TestMemoryIsBounded(t *testing.T) {
	const ip, transport = 14, 14 + 20
	big := bytes.Repeat([]byte{8, 0, 0xff, 0xff}, 15000)
	put := binary.BigEndian.PutUint32
	tests := []struct {
		name   string
		n      uint32
		frame  []byte
		change func([]byte, uint32)
	}{
		{"fragments of one association", 700, sctpFrame(t, data(begin, 0, 11, big)),
			func(f []byte, i uint32) { put(f[transport+12+4:], 2*i) }},
		{"fragments of many associations", 700, sctpFrame(t, data(begin, 0, 11, big)),
			func(f []byte, i uint32) { put(f[transport+4:], i) }},
		{"segments behind a gap", 700, segment(t, 0, big),
			func(f []byte, i uint32) { put(f[transport+4:], min(i, 1)*100+i*uint32(len(big)+1)) }},
		{"the beginnings of messages", 700, segment(t, 0, big),
			func(f []byte, i uint32) { put(f[ip+12:], i) }},
		{"associations", 140_000, sctpFrame(t, data(whole, 0, 11, unhex(t, ackHex))),
			func(f []byte, i uint32) { put(f[transport+4:], i) }},
		{"connections", 140_000, syn(t, 0), func(f []byte, i uint32) { put(f[ip+12:], i) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := newEndless(t, tt.n, tt.frame, tt.change)
			sum, err := decode.Run(e, io.Discard)
			if err != nil || sum.Frames != int(tt.n) {
				t.Fatalf("%v, %+v", err, sum)
			}
			if e.heap > 32<<20 {
				t.Errorf("%d MiB of heap", e.heap>>20)
			}
		})
	}
}
