// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/gopacket/gopacket/layers"

	"github.com/weir-lb/weir/registrar/wire"
)

type streamKey struct{ src, dst netip.AddrPort }

type streams struct {
	byAddr  map[streamKey]*stream
	inOrder []*stream
}

// stream is one direction of a TCP connection.
type stream struct {
	proto   protocol
	begun   bool
	ignored bool      // of TLS, or no longer known where a message begins
	next    uint32    // the sequence number that comes next
	buf     []byte    // what came, from the start of a message on
	early   []segment // what came before its turn, by sequence number
	tail    origin    // of what came last in buf: the latest frame, as one that fills a gap completes what waited behind it
}

type segment struct {
	origin origin
	seq    uint32
	data   []byte
}

// maxEarly bounds the segments of a stream that wait for an earlier one, which the capture is then taken not to have.
const maxEarly = 1024

func (ss *streams) get(o origin, proto protocol) *stream {
	k := streamKey{o.src, o.dst}
	s := ss.byAddr[k]
	if s == nil {
		s = &stream{proto: proto}
		ss.byAddr[k] = s
		ss.inOrder = append(ss.inOrder, s)
	}
	return s
}

// tcpSegment takes one segment. A stream begins with its SYN, or with the first segment of it in the capture.
func (d *decoder) tcpSegment(o origin, tcp *layers.TCP) {
	proto, ok := byPort(o)
	if !ok {
		return
	}
	s := d.tcp.get(o, proto)
	seq := tcp.Seq
	if tcp.SYN {
		if s.begun && s.next == seq+1 {
			return // the same SYN again
		}
		d.endStream(s)
		seq++
		*s = stream{proto: proto, begun: true, next: seq}
	}
	if len(tcp.Payload) == 0 || s.ignored {
		return
	}
	if !s.begun {
		s.begun, s.next = true, seq
	}
	d.take(s, segment{o, seq, tcp.Payload})
}

// take reads a segment, or keeps it until its turn.
func (d *decoder) take(s *stream, g segment) {
	if int32(g.seq-s.next) > 0 {
		g.data = bytes.Clone(g.data)
		at, _ := slices.BinarySearchFunc(s.early, g, func(x, y segment) int { return cmp.Compare(x.seq-s.next, y.seq-s.next) })
		s.early = slices.Insert(s.early, at, g)
		d.waiting += len(g.data)
		if len(s.early) > maxEarly {
			d.skipGap(s)
		}
		return
	}
	d.append(s, g)
	d.takeEarly(s)
}

// takeEarly reads the kept segments whose turn has come.
func (d *decoder) takeEarly(s *stream) {
	for len(s.early) > 0 && int32(s.early[0].seq-s.next) <= 0 {
		g := s.early[0]
		s.early = s.early[1:]
		d.waiting -= len(g.data)
		d.append(s, g)
	}
}

// append takes what is new of a segment that begins at s.next or before.
func (d *decoder) append(s *stream, g segment) {
	old := s.next - g.seq
	if uint64(old) >= uint64(len(g.data)) || s.ignored {
		return
	}
	g.data = g.data[old:]
	s.next += uint32(len(g.data))
	s.buf = append(s.buf, g.data...)
	if g.origin.frame > s.tail.frame {
		s.tail = g.origin
	}
	d.waiting += len(g.data)
	d.cutMessages(s)
}

// cutMessages shows the whole messages of a stream, which has their padding too (registrar/transport).
func (d *decoder) cutMessages(s *stream) {
	for len(s.buf) >= wire.HeaderLen {
		if isTLS(s.buf) {
			d.sum.Encrypted++
			d.ignore(s)
			return
		}
		n := int(binary.BigEndian.Uint16(s.buf[2:]))
		if n < wire.HeaderLen {
			reason := fmt.Sprintf("message of length %d; where the next one begins is not known, the rest of the stream is not read", n)
			d.malformed(s.tail, s.proto, fault{in: "stream", reason: reason}, s.buf)
			d.ignore(s)
			return
		}
		padded := (n + 3) &^ 3
		if len(s.buf) < padded {
			return
		}
		d.message(s.tail, s.proto, s.buf[:padded], false)
		d.waiting -= padded
		s.buf = s.buf[padded:]
	}
}

// isTLS recognises a TLS record (RFC 8446 5.1), whose first byte is no type of a message.
func isTLS(b []byte) bool { return b[0] >= 20 && b[0] <= 23 && b[1] == 3 && b[2] <= 4 }

// ignore takes nothing more of a stream until its next SYN.
func (d *decoder) ignore(s *stream) {
	d.forget(s)
	s.ignored = true
}

func (d *decoder) forget(s *stream) {
	d.waiting -= len(s.buf)
	for _, g := range s.early {
		d.waiting -= len(g.data)
	}
	s.buf, s.early = nil, nil
}

// skipGap goes on behind bytes that the capture does not have, and takes it that a message begins there.
func (d *decoder) skipGap(s *stream) {
	d.cutShort(s)
	g := s.early[0]
	reason := fmt.Sprintf("%d bytes of the stream before this frame are not in the capture", g.seq-s.next)
	d.malformed(g.origin, s.proto, fault{in: "stream", reason: reason}, nil)
	s.next, s.tail = g.seq, g.origin
	d.takeEarly(s)
}

// cutShort shows the message at the end of what is there: it may lack its padding, or more.
func (d *decoder) cutShort(s *stream) {
	if len(s.buf) == 0 {
		return
	}
	if n := declared(s.buf); n <= len(s.buf) {
		d.message(s.tail, s.proto, s.buf[:n], false)
	} else {
		reason := fmt.Sprintf("message of length %d ends after %d bytes", n, len(s.buf))
		d.malformed(s.tail, s.proto, fault{in: "stream", reason: reason}, s.buf)
	}
	d.waiting -= len(s.buf)
	s.buf = nil
}

// declared is the length that the message at b's beginning has at least.
func declared(b []byte) int {
	if len(b) < wire.HeaderLen {
		return wire.HeaderLen
	}
	return int(binary.BigEndian.Uint16(b[2:]))
}

// endStream shows what is left of a stream.
func (d *decoder) endStream(s *stream) {
	for len(s.early) > 0 {
		d.skipGap(s)
	}
	d.cutShort(s)
}
