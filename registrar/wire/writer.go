// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"errors"
)

// writer appends one message, or one parameter, to b. Its first error stays, and makes what follows do nothing.
type writer struct {
	b     []byte
	start int // where in b the message begins
	err   error
}

func (w *writer) fail(reason string) {
	if w.err == nil {
		w.err = errors.New(reason)
	}
}

// open begins a TLV, after padding what is before it: padding comes between TLVs and never after the last of a container
// (RFC 5354 section 2), and each container begins at a multiple of 4. Returns what close needs.
func (w *writer) open(typ uint16) int {
	w.pad()
	mark := len(w.b)
	w.u16(typ)
	w.u16(0)
	return mark
}

// close fills in the length of the TLV that open began.
func (w *writer) close(mark int) {
	if w.err == nil {
		binary.BigEndian.PutUint16(w.b[mark+2:], uint16(len(w.b)-mark))
	}
}

// pad appends zeros up to a multiple of 4 bytes from the start.
func (w *writer) pad() {
	n := len(w.b) - w.start
	w.b = append(w.b, "\x00\x00\x00"[:paddedLen(n)-n]...)
}

func (w *writer) u16(v uint16) {
	if w.fits(2) {
		w.b = binary.BigEndian.AppendUint16(w.b, v)
	}
}

func (w *writer) u32(v uint32) {
	if w.fits(4) {
		w.b = binary.BigEndian.AppendUint32(w.b, v)
	}
}

func (w *writer) bytes(v []byte) {
	if w.fits(len(v)) {
		w.b = append(w.b, v...)
	}
}

func (w *writer) string(v string) {
	if w.fits(len(v)) {
		w.b = append(w.b, v...)
	}
}

func (w *writer) fits(n int) bool {
	if len(w.b)-w.start+n > MaxMessageLen {
		w.fail("longer than 65535 bytes")
	}
	return w.err == nil
}

// appendTLV appends what encode writes, without padding after it.
func appendTLV(dst []byte, encode func(*writer)) ([]byte, error) {
	w := writer{b: dst, start: len(dst)}
	encode(&w)
	if w.err != nil {
		return dst, w.err
	}
	return w.b, nil
}
