// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
)

// What parsing allocates in all, the garbage of growing slices included, is bounded by what came in. These are the bodies
// that grow the most: the smallest parameters of each kind, as many as fit.
func TestParseAllocatesLittle(t *testing.T) {
	const handle, maxTotal = "0009 0008 77656278", 48 // bytes allocated for each byte parsed
	cases := []struct {
		name, head, unit string
		lengths          []int // where the lengths of what is not finished yet are
	}{
		{"causes", "0e 00 0000 000c 0000", "0009 0004", []int{2, 6}},
		{"skipped parameters", "05 00 0000" + handle, "8000 0004", []int{2}},
		{"reported parameters", "05 00 0000" + handle, "c000 0004", []int{2}},
		{"pool elements", "06 00 0000" + handle,
			"000a 001c 01020304 00000000 0000012c 0010 0004 0008 0008 00000001", []int{2}},
		{"transports", "0a 00 0000 0a0b0c0d", "0005 0010 0050 0000 0001 0008 c0000201", []int{2}},
		{"addresses", "0a 00 0000 0a0b0c0d 0004 0000 0f17 0000", "0001 0008 c0000201", []int{2, 10}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := filled(c.head, c.unit, c.lengths)
			var m wire.Message
			var err error
			total := allocated(func() { m, err = wire.ParseASAP(b) })
			if m == nil {
				t.Fatal(err)
			}
			if total > maxTotal*uint64(len(b)) {
				t.Errorf("allocated %d bytes to parse %d", total, len(b))
			}
		})
	}
}

func TestParseENRPAllocatesLittle(t *testing.T) {
	const between, maxTotal = "0a0b0c0d 01020304", 48
	cases := []struct{ name, head, unit string }{
		{"servers", "06 00 0000" + between, "000b 0018 0a0b0c0d 0004 0010 26ad 0000 0001 0008 c0000201"},
		{"pool entries", "03 00 0000" + between,
			"0009 0005 77 000000 000a 001c 01020304 00000000 0000012c 0010 0004 0008 0008 00000001"},
		{"pool handles alone", "03 00 0000" + between, "0009 0005 77 000000"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := filled(c.head, c.unit, []int{2})
			var err error
			total := allocated(func() { _, err = wire.ParseENRP(b) })
			if wantErr := c.name == "pool handles alone"; (err != nil) != wantErr {
				t.Fatal(err)
			}
			if total > maxTotal*uint64(len(b)) {
				t.Errorf("allocated %d bytes to parse %d", total, len(b))
			}
		})
	}
}

// filled is head and as many units as fit behind it, with the lengths at these places up to the end.
func filled(head, unit string, lengths []int) []byte {
	b, u := unhexed(head), unhexed(unit)
	b = append(b, bytes.Repeat(u, (wire.MaxMessageLen-len(b))/len(u))...)
	for _, at := range lengths {
		binary.BigEndian.PutUint16(b[at:], uint16(len(b)-at+2))
	}
	return b
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
