// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"bytes"
	"strings"

	"github.com/weir-lb/weir/test/packet"
)

// leastFrame is the least that the kernel runs a program on: an Ethernet header.
const leastFrame = 14

// mutate puts a row's packet to what holds for all packets: cut off anywhere it is not forwarded, and what
// is damaged stays so. The flow table is left as the row left it.
func (f *fixture) mutate(s spec) {
	f.Helper()
	f.cutOff(s)
	f.cutShort(s)
	f.damage(s)
}

// cutOff cuts the frame at every length. An IP packet that is not all there is malformed, whatever it is.
func (f *fixture) cutOff(s spec) {
	f.Helper()
	end, isIP := len(s.in), packet.IsIP(s.in)
	if whole := packet.End(s.in); whole > 0 {
		end = whole // behind it is padding
	}
	var frames [][]byte
	for length := leastFrame; length < end; length++ {
		frames = append(frames, s.in[:length])
	}
	f.unharmed(s, frames, func(frame []byte, got outcome) {
		if isIP && got.verdict != "malformed" && (s.verdict != "unreadable" || got.verdict != s.verdict) {
			f.Errorf("%s, cut off at %d: %s, want malformed\n%x", s.name, len(frame), got.verdict, frame)
		}
	})
}

// cutShort cuts the frame within its headers, with IP lengths that agree with what is left.
func (f *fixture) cutShort(s spec) {
	f.Helper()
	var frames [][]byte
	for length := leastFrame; length < packet.HeadersEnd(s.in); length++ {
		if cut := packet.Cut(s.in, length); cut != nil {
			frames = append(frames, cut)
		}
	}
	f.unharmed(s, frames, func([]byte, outcome) {})
}

// unharmed runs frames that must neither go anywhere nor be changed nor be remembered.
func (f *fixture) unharmed(s spec, frames [][]byte, also func(frame []byte, got outcome)) {
	f.Helper()
	before := f.snapshot()
	f.runEach(s.from, frames, func(i int, got outcome) {
		if got.action != pass && got.action != drop {
			f.Errorf("%s, cut to %d bytes: %s, %s\n%x", s.name, len(frames[i]), got.verdict, got.action, frames[i])
		}
		if !bytes.Equal(got.out, frames[i]) {
			f.Errorf("%s, cut to %d bytes: %s, changed\n%x\n%x", s.name, len(frames[i]), got.verdict, frames[i], got.out)
		}
		also(frames[i], got)
	})
	if !f.unchanged(before) {
		f.Errorf("%s: a packet that was cut changed the flow table", s.name)
		f.restore(before)
	}
}

// damage gives a packet that was rewritten a checksum that is off by a bit: it must come out just as wrong.
func (f *fixture) damage(s spec) {
	f.Helper()
	if s.action != redirect && (s.action != pass || s.out == nil) {
		return
	}
	before := f.snapshot()
	for _, bad := range [][]byte{packet.BadChecksum(s.in), packet.BadIPChecksum(s.in)} {
		if bad == nil {
			continue
		}
		got := f.run(s.from, bad)
		err := packet.Verify(got.out)
		if got.verdict != s.verdict || err == nil || !strings.Contains(err.Error(), "checksum") || distance(got.out, s.out) > 4 {
			f.Errorf("%s, with a bad checksum: %s, %v\n%x\n%x", s.name, got.verdict, err, bad, got.out)
		}
		f.restore(before)
	}
}

// distance is how many bytes of two frames differ.
func distance(a, b []byte) int {
	if len(a) != len(b) {
		return max(len(a), len(b))
	}
	n := 0
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}
