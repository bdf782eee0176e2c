// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// An ASAP message begins with type, flags, and its length in bytes, which
// counts the header but no padding; the next message begins at a multiple of
// four bytes (RFC 5354 2).
const (
	headerLen = 4
	alignment = 4
)

// errFrame ends a session: the next message cannot be found.
var errFrame = errors.New("no message with a length that fits")

func padding(n int) int { return -n & (alignment - 1) }

// frameReader cuts a stream into messages. It keeps what it has read, so that
// an error that passes, such as a deadline, loses nothing.
type frameReader struct {
	r    io.Reader
	skip int             // bytes of padding before the next header
	head [headerLen]byte // of the message that is being read
	body []byte          // the message, once its header is complete
	got  int             // bytes of it, header and all
}

// next returns the next message without its padding. The padding is read with
// the message after it: a message is never held back for it. io.EOF means that
// the stream ended between messages, io.ErrUnexpectedEOF that it ended in one.
func (f *frameReader) next() ([]byte, error) {
	for f.skip > 0 {
		n, err := f.r.Read(f.head[:f.skip])
		f.skip -= n
		if err != nil && f.skip > 0 {
			return nil, truncated(err)
		}
	}
	if f.body == nil {
		if err := f.header(); err != nil {
			return nil, err
		}
	}
	if err := f.fill(f.body); err != nil {
		return nil, truncated(err)
	}
	msg := f.body
	f.body, f.got, f.skip = nil, 0, padding(len(msg))
	return msg, nil
}

// header allocates at most what 16 bits can count.
func (f *frameReader) header() error {
	if err := f.fill(f.head[:]); err != nil {
		if f.got > 0 {
			err = truncated(err)
		}
		return err
	}
	n := int(binary.BigEndian.Uint16(f.head[2:]))
	if n < headerLen {
		return fmt.Errorf("%w: length %d", errFrame, n)
	}
	f.body = make([]byte, n)
	copy(f.body, f.head[:])
	return nil
}

// fill reads the rest of p, of which it has got bytes.
func (f *frameReader) fill(p []byte) error {
	for f.got < len(p) {
		n, err := f.r.Read(p[f.got:])
		f.got += n
		if err != nil && f.got < len(p) {
			return err
		}
	}
	return nil
}

func truncated(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// padded returns what goes on the stream for one message, which may come with
// its padding or without it.
func padded(msg []byte) ([]byte, error) {
	if len(msg) < headerLen {
		return nil, fmt.Errorf("%w: %d bytes", errFrame, len(msg))
	}
	n := int(binary.BigEndian.Uint16(msg[2:]))
	switch {
	case n < headerLen:
		return nil, fmt.Errorf("%w: length %d", errFrame, n)
	case len(msg) == n+padding(n):
		return msg, nil
	case len(msg) == n:
		out := make([]byte, n+padding(n))
		copy(out, msg)
		return out, nil
	}
	return nil, fmt.Errorf("the header says %d bytes, the message has %d", n, len(msg))
}
