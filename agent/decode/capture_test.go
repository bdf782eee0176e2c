// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/weir-lb/weir/agent/decode"
)

func TestNoCapture(t *testing.T) {
	whole := pcap(t, layers.LinkTypeEthernet, sctpFrame(t, data(3, 1, 11, unhex(t, ackHex))))
	var ng bytes.Buffer
	if w, err := pcapgo.NewNgWriter(&ng, layers.LinkTypeEthernet); err != nil || w.Flush() != nil {
		t.Fatal(err)
	}
	version := bytes.Clone(whole)
	version[4] = 9
	long := bytes.Clone(whole)
	copy(long[24+8:], unhex(t, "00000100"))
	tests := []struct {
		name, in, want string
	}{
		{"empty", "", "the capture is empty, not even a header"},
		{"short", "\xd4\xc3", "neither a pcap nor a pcapng file"},
		{"text", "hello, world", "neither a pcap nor a pcapng file"},
		{"part of a header", string(whole[:23]), "the capture ends within its pcap header"},
		{"part of a pcapng header", ng.String()[:12], "the capture ends within its pcapng header"},
		{"another version", string(version), "bad pcap header: Unknown major version 9"},
		{"another link type", string(pcap(t, layers.LinkTypeIEEE802_11, []byte{1})),
			"frame 1 has link type 105; Ethernet, Linux cooked, raw IP and loopback are supported"},
		{"part of a frame's header", string(whole) + "abc", "the capture is truncated: it ends within frame 2"},
		{"a frame's header only", string(whole[:24+16]), "the capture is truncated: it ends within frame 1"},
		{"part of a frame", string(whole[:len(whole)-1]), "the capture is truncated: it ends within frame 1"},
		{"a frame of 64 KiB that was 94 bytes", string(long), "the capture is damaged at frame 1: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := decode.Run(strings.NewReader(tt.in), io.Discard)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// A frame that was cut off shows all before it.
func TestTruncatedShowsTheRest(t *testing.T) {
	frame := sctpFrame(t, data(3, 1, 11, unhex(t, ackHex)))
	whole := pcap(t, layers.LinkTypeEthernet, frame, frame)
	var out bytes.Buffer
	sum, err := decode.Run(bytes.NewReader(whole[:len(whole)-1]), &out)
	if err == nil || sum.Messages != 1 || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("%v, %+v: %s", err, sum, &out)
	}
}

// Every prefix of a file ends in an error, except at the end of a frame; and it never panics.
func TestEveryPrefix(t *testing.T) {
	frame := sctpFrame(t, data(3, 1, 11, unhex(t, ackHex)))
	whole := pcap(t, layers.LinkTypeEthernet, frame, frame)
	ends := map[int]bool{24: true, 24 + 16 + len(frame): true, len(whole): true}
	for n := range len(whole) + 1 {
		if _, err := decode.Run(bytes.NewReader(whole[:n]), io.Discard); (err == nil) != ends[n] {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// brokenPipe takes one write.
type brokenPipe struct{ writes int }

var errPipe = errors.New("broken pipe")

func (b *brokenPipe) Write(p []byte) (int, error) {
	if b.writes++; b.writes > 1 {
		return 0, errPipe
	}
	return len(p), nil
}

func TestOutputFails(t *testing.T) {
	frame := sctpFrame(t, data(3, 1, 11, unhex(t, ackHex)))
	out := &brokenPipe{}
	sum, err := decode.Run(bytes.NewReader(pcap(t, layers.LinkTypeEthernet, frame, frame, frame)), out)
	if !errors.Is(err, errPipe) || out.writes != 2 || sum.Frames != 2 {
		t.Errorf("%v after %d writes, %+v", err, out.writes, sum)
	}
}
