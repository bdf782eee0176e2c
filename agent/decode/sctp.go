// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
)

const (
	sctpHeaderLen  = 12
	chunkHeaderLen = 4
	dataHeaderLen  = 16 // RFC 9260 3.3.1
)

// The flags of a DATA chunk that say where in its message it is (RFC 9260 3.3.1).
const (
	flagEnd   = 1
	flagBegin = 2
)

// tagKey is one direction of an association. Its addresses may change from packet to packet, and are no part of it.
type tagKey struct {
	srcPort, dstPort uint16
	tag              uint32 // verification tag
}

type associations struct {
	byTag   map[tagKey]*association
	inOrder []*association
}

// association is what is known of one direction of an association.
type association struct {
	seen      window
	fragments map[uint32]fragment // by TSN
}

// fragment is a DATA chunk that waits for the rest of its message.
type fragment struct {
	origin origin
	proto  protocol
	flags  uint8
	data   []byte
}

// maxFragments bounds the fragments of an association that wait. A message is at most 64 KiB long.
const maxFragments = 4096

func (as *associations) get(k tagKey) *association {
	a := as.byTag[k]
	if a == nil {
		a = &association{fragments: map[uint32]fragment{}}
		as.byTag[k] = a
		as.inOrder = append(as.inOrder, a)
	}
	return a
}

// sctpPacket reads the chunks of a packet: those of ASAP and ENRP, whatever the ports are.
func (d *decoder) sctpPacket(o origin, tag uint32, chunks []byte) {
	for off := sctpHeaderLen; len(chunks) > 0; {
		n, bad := chunkLen(chunks)
		if bad != "" {
			if proto, ok := chunkProtocol(o, chunks); ok {
				d.malformed(o, proto, fault{in: "packet", offset: off, reason: bad}, chunks)
			}
			return
		}
		if chunks[0] == 0 {
			d.dataChunk(o, tag, chunks[:n])
		}
		used := min((n+3)&^3, len(chunks))
		off, chunks = off+used, chunks[used:]
	}
}

// chunkLen is the length of the first chunk without its padding, or what is wrong with it.
func chunkLen(b []byte) (n int, bad string) {
	if len(b) < chunkHeaderLen {
		return 0, fmt.Sprintf("%d bytes are no SCTP chunk", len(b))
	}
	n = int(binary.BigEndian.Uint16(b[2:]))
	switch {
	case b[0] == 0 && n <= dataHeaderLen:
		return 0, fmt.Sprintf("SCTP DATA chunk of length %d has no user data", n)
	case n < chunkHeaderLen || n > len(b):
		return 0, fmt.Sprintf("SCTP chunk of length %d in %d bytes", n, len(b))
	}
	return n, ""
}

// chunkProtocol is whose a malformed chunk is: by its PPID if it has one, else by the ports.
func chunkProtocol(o origin, b []byte) (protocol, bool) {
	if len(b) >= dataHeaderLen && b[0] == 0 {
		return byPPID(binary.BigEndian.Uint32(b[12:]))
	}
	return byPort(o)
}

func (d *decoder) dataChunk(o origin, tag uint32, chunk []byte) {
	proto, ok := byPPID(binary.BigEndian.Uint32(chunk[12:]))
	if !ok {
		return
	}
	a := d.sctp.get(tagKey{o.src.Port(), o.dst.Port(), tag})
	flags, tsn := chunk[1]&(flagBegin|flagEnd), binary.BigEndian.Uint32(chunk[4:])
	again := a.seen.mark(tsn)
	switch data := chunk[dataHeaderLen:]; {
	case flags == flagBegin|flagEnd:
		d.message(o, proto, data, again)
	case !again:
		a.fragments[tsn] = fragment{o, proto, flags, bytes.Clone(data)}
		d.waiting += len(data)
		d.putTogether(o, a, tsn)
	}
}

// putTogether shows the message that the fragment tsn is of, if it is complete: consecutive TSNs from the one with the B bit
// to the one with the E bit (RFC 9260 6.9). The walk does not run into another message: a complete one is gone at once.
func (d *decoder) putTogether(o origin, a *association, tsn uint32) {
	first, last := tsn, tsn
	for a.fragments[first].flags&flagBegin == 0 {
		first--
		if _, ok := a.fragments[first]; !ok {
			d.limitFragments(a)
			return
		}
	}
	for a.fragments[last].flags&flagEnd == 0 {
		last++
		if _, ok := a.fragments[last]; !ok {
			d.limitFragments(a)
			return
		}
	}
	proto := a.fragments[first].proto
	var message []byte
	for t := first; t != last+1; t++ {
		message = append(message, a.fragments[t].data...)
		delete(a.fragments, t)
	}
	d.waiting -= len(message)
	d.message(o, proto, message, false)
}

func (d *decoder) limitFragments(a *association) {
	if len(a.fragments) > maxFragments {
		d.giveUpFragments(a)
	}
}

// giveUpFragments forgets all fragments of a: a line for each run of consecutive ones.
func (d *decoder) giveUpFragments(a *association) {
	var starts []uint32
	for tsn, f := range a.fragments {
		d.waiting -= len(f.data)
		if _, inside := a.fragments[tsn-1]; !inside {
			starts = append(starts, tsn)
		}
	}
	slices.SortFunc(starts, func(x, y uint32) int { return a.fragments[x].origin.frame - a.fragments[y].origin.frame })
	for _, first := range starts {
		n := uint32(1)
		for _, more := a.fragments[first+n]; more; _, more = a.fragments[first+n] {
			n++
		}
		f := a.fragments[first]
		reason := fmt.Sprintf("the other fragments of a message are missing; TSN %d to %d are there", first, first+n-1)
		d.malformed(f.origin, f.proto, fault{in: "packet", reason: reason}, f.data)
	}
	clear(a.fragments)
}

// window remembers which of the last TSNs were seen.
type window struct {
	begun   bool
	highest uint32
	bits    [windowLen / 64]uint64 // of TSN t: bit t mod windowLen
}

const windowLen = 1024

// mark says whether tsn was there before. One older than the window was: its message went by long ago.
func (w *window) mark(tsn uint32) (again bool) {
	if !w.begun {
		w.begun, w.highest = true, tsn
	}
	ahead := int32(tsn - w.highest) // serial number arithmetic (RFC 9260 1.6)
	if ahead <= -windowLen {
		return true
	}
	if ahead >= windowLen {
		w.bits = [len(w.bits)]uint64{}
	} else {
		for t := w.highest + 1; ahead > 0 && t != tsn+1; t++ {
			w.bits[t%windowLen/64] &^= 1 << (t % 64)
		}
	}
	if ahead > 0 {
		w.highest = tsn
	}
	word, bit := &w.bits[tsn%windowLen/64], uint64(1)<<(tsn%64)
	again = *word&bit != 0
	*word |= bit
	return again
}
