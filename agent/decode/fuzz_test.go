// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/weir-lb/weir/agent/decode"
)

// FuzzRun gives Run whole files: it does not panic, each line is an object with a frame of the file, each is counted, and
// the output is in proportion to the input.
func FuzzRun(f *testing.F) {
	ack := unhex(f, ackHex)
	for _, name := range []string{basic, errs} {
		f.Add(readFile(f, name)[:4000])
	}
	f.Add(pcap(f, layers.LinkTypeEthernet, sctpFrame(f, data(begin, 1, 11, ack[:9])), sctpFrame(f, data(end, 2, 11, ack[9:]))))
	f.Add(pcap(f, layers.LinkTypeEthernet, syn(f, 0), segment(f, 11, ack[10:]), segment(f, 1, ack[:10]), segment(f, 99, ack)))
	f.Add(pcap(f, layers.LinkTypeLinuxSLL2, unhex(f, "0800000000000002000100060000000000000000")))
	var ng bytes.Buffer
	w, err := pcapgo.NewNgWriter(&ng, layers.LinkTypeEthernet)
	if err != nil || w.Flush() != nil {
		f.Fatal(err)
	}
	f.Add(append(ng.Bytes(), ng.Bytes()...))
	f.Fuzz(func(t *testing.T, file []byte) {
		var out bytes.Buffer
		sum, _ := decode.Run(bytes.NewReader(file), &out)
		lines := 0
		for line := range bytes.Lines(out.Bytes()) {
			lines++
			var o struct {
				Frame    int    `json:"frame"`
				Protocol string `json:"protocol"`
			}
			if err := json.Unmarshal(line, &o); err != nil || o.Frame < 1 || o.Frame > sum.Frames || o.Protocol == "" {
				t.Fatalf("%v in a file of %d frames: %s", err, sum.Frames, line)
			}
		}
		if lines != sum.Messages+sum.Malformed {
			t.Fatalf("%d lines, %+v", lines, sum)
		}
		if out.Len() > 1000*len(file) {
			t.Fatalf("%d bytes of %d", out.Len(), len(file))
		}
	})
}
