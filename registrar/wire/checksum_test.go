// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"strings"
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
)

type checksumCase struct {
	name string
	pool wire.PoolHandle
	pes  []wire.PEID
	want uint16
}

// From what rsplib 3.4.4 sends, and sums of the blocks' words by hand.
func checksumCases() []checksumCase {
	return []checksumCase{
		{"none", "", nil, 0xffff},
		{"rsplib, three elements", "EchoPool", []wire.PEID{0xf1, 0xf2, 0xf3}, 0xb41e},
		{"rsplib, one element", "EchoPool", []wire.PEID{0xaaaa}, 0xe7a6},
		{"handle of one byte: 6100 and zeros", "a", []wire.PEID{0}, 0x9eff},
		{"handle of two bytes: 6162 and zeros", "ab", []wire.PEID{0}, 0x9e9d},
		{"handle of three bytes: 6162 + 6300", "abc", []wire.PEID{0}, 0x3b9d},
		{"both halves of the identifier: 6100 + 0102 + 0304", "a", []wire.PEID{0x01020304}, 0x9af9},
		{"carry: 6100 + 9eff + 0001 = 10000", "a", []wire.PEID{0x9eff0001}, 0xfffe},
		{"the other zero: 6100 + 9eff", "a", []wire.PEID{0x9eff0000}, 0x0000},
	}
}

func TestChecksum(t *testing.T) {
	for _, c := range checksumCases() {
		t.Run(c.name, func(t *testing.T) {
			var sum wire.Checksum
			for _, pe := range c.pes {
				sum.Add(c.pool, pe)
			}
			if got := sum.Value(); got != c.want {
				t.Errorf("got %#04x, want %#04x", got, c.want)
			}
		})
	}
}

// Whatever came and went meanwhile, and in whatever order.
func TestChecksumWithoutWhatWent(t *testing.T) {
	other := wire.PoolHandle(strings.Repeat("\xff", 32767))
	for _, c := range checksumCases() {
		t.Run(c.name, func(t *testing.T) {
			var sum, straight wire.Checksum
			for _, pe := range c.pes {
				sum.Add(other, ^pe)
				sum.Add(c.pool, pe)
				straight.Add(c.pool, pe)
			}
			for _, pe := range c.pes {
				sum.Remove(other, ^pe)
			}
			if got := sum.Value(); got != c.want || sum != straight {
				t.Errorf("got %#04x, want %#04x", got, c.want)
			}
			for _, pe := range c.pes {
				sum.Remove(c.pool, pe)
			}
			if got := sum.Value(); got != 0xffff || sum != (wire.Checksum{}) {
				t.Errorf("empty is %#04x", got)
			}
		})
	}
}
