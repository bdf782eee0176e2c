// SPDX-License-Identifier: Apache-2.0

package transport

import "time"

// carrier moves whole messages between two ends. One goroutine reads, and one
// writes, at a time; Close ends both.
type carrier interface {
	// readMessage returns one message without padding. After a deadline it can be
	// repeated, and nothing is lost.
	readMessage() ([]byte, error)
	// writeMessage sends one message, which has its padding.
	writeMessage(msg []byte) error
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
	Close() error
}

// stream carries messages on a stream of bytes, each padded to the alignment at
// which the next begins.
type stream struct {
	conn
	frames frameReader
}

// conn is what a stream needs: TLS of either kind, or a TCP connection.
type conn interface {
	Read(p []byte) (int, error)
	Write(p []byte) (int, error)
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
	Close() error
}

func newStream(c conn) *stream { return &stream{conn: c, frames: frameReader{r: c}} }

func (s *stream) readMessage() ([]byte, error) { return s.frames.next() }

func (s *stream) writeMessage(msg []byte) error {
	_, err := s.Write(msg)
	return err
}
