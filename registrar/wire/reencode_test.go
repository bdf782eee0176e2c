// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
)

// goldens are the captures, with the numbers of ASAP and ENRP messages that tshark counts in each,
// retransmissions included.
func goldens() map[string][2]int {
	return map[string][2]int{
		goldenCapture:      {36, 0},
		calcappCapture:     {85, 0},
		unreachableCapture: {89, 0},
		peersCapture:       {36, 127},
		"testdata/rsplib-asap-announce-autodiscovery.pcap": {18, 0},
		"testdata/rsplib-policies.pcap":                    {536, 0},
	}
}

// Every message of every capture decodes, and encodes to the bytes that it came in.
func TestGoldensReencode(t *testing.T) {
	for name, want := range goldens() {
		t.Run(filepath.Base(name), func(t *testing.T) {
			var counts [2]int
			for _, c := range readCapture(t, name) {
				again, err := reencode(c)
				if err != nil || !bytes.Equal(again, c.b) {
					t.Errorf("frame %d: encoded again %x, want %x (%v)", c.frame, again, c.b, err)
				}
				if c.enrp {
					counts[1]++
				} else {
					counts[0]++
				}
			}
			if counts != want {
				t.Errorf("%d messages of ASAP and ENRP, want %d", counts, want)
			}
		})
	}
}

func reencode(c captured) ([]byte, error) {
	if c.enrp {
		m, err := wire.ParseENRP(c.b)
		if err != nil {
			return nil, fmt.Errorf("parse: %w", err)
		}
		return wire.AppendENRP(nil, m)
	}
	m, err := wire.ParseASAP(c.b)
	if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	return wire.AppendASAP(nil, m)
}
