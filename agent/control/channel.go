// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

// channel sends and receives messages on a connection.
type channel struct {
	conn             net.Conn
	writing, reading turn
	broken           error  // a write that stopped midway ends all writing; under writing
	got              []byte // the beginning of the next message, and what came with it; under reading
}

func newChannel(conn net.Conn) channel {
	return channel{conn: conn, writing: make(turn, 1), reading: make(turn, 1)}
}

// turn is a mutex that can be waited for under a context.
type turn chan struct{}

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) give() { <-t }

// send writes one message and its padding. When ctx ends meanwhile, a part may
// be sent, and nothing can follow it.
func (c *channel) send(ctx context.Context, m wire.Message) error {
	b, err := wire.AppendASAP(nil, m)
	if err != nil {
		return err
	}
	if err := c.writing.take(ctx); err != nil {
		return fmt.Errorf("send %v: %w", m.Type(), err)
	}
	defer c.writing.give()
	if c.broken != nil {
		return c.broken
	}
	done := interrupt(ctx, c.conn.SetWriteDeadline)
	_, err = c.conn.Write(b)
	if ended := done(); err != nil && ended != nil {
		err = ended
	}
	if err != nil {
		c.broken = fmt.Errorf("send %v: %w", m.Type(), err)
	}
	return c.broken
}

// receive is the next message that is well-formed; it answers malformed ones as
// RFC 5352 2.2.14 asks. io.EOF is the end between two messages. When ctx ends,
// the next call goes on where this one stopped.
func (c *channel) receive(ctx context.Context) (wire.Message, error) {
	for {
		b, err := c.next(ctx)
		if err != nil {
			return nil, err
		}
		m, err := wire.ParseASAP(b)
		var fault *wire.Error
		if errors.As(err, &fault) && fault.Report {
			if err := c.send(ctx, &wire.ErrorMessage{Causes: fault.ErrorCauses()}); err != nil {
				return nil, err
			}
		}
		if m != nil {
			return m, nil
		}
	}
}

// next is the bytes of one message.
func (c *channel) next(ctx context.Context) ([]byte, error) {
	if err := c.reading.take(ctx); err != nil {
		return nil, err
	}
	defer c.reading.give()
	done := interrupt(ctx, c.conn.SetReadDeadline)
	b, err := c.frame()
	if ended := done(); err != nil && ended != nil {
		err = ended
	}
	return b, err
}

func (c *channel) frame() ([]byte, error) {
	if err := c.fill(wire.HeaderLen); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(c.got[2:]))
	if n < wire.HeaderLen {
		return nil, fmt.Errorf("a message of length %d, shorter than its header", n)
	}
	padded := (n + 3) &^ 3
	if err := c.fill(padded); err != nil {
		return nil, err
	}
	b := c.got[:n:n]
	c.got = append([]byte(nil), c.got[padded:]...)
	return b, nil
}

// fill reads until there are n bytes.
func (c *channel) fill(n int) error {
	chunk := make([]byte, 4096)
	for len(c.got) < n {
		read, err := c.conn.Read(chunk)
		c.got = append(c.got, chunk[:read]...)
		if err == nil || len(c.got) >= n {
			continue
		}
		if errors.Is(err, io.EOF) && len(c.got) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	return nil
}

// interrupt lets the end of ctx end the call whose deadline set sets. done must
// be called after that call; it gives ctx's error if ctx ended first.
func interrupt(ctx context.Context, set func(time.Time) error) (done func() error) {
	fired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = set(time.Unix(1, 0)) // fails only on a closed connection, which ends the call too
		close(fired)
	})
	return func() error {
		if stop() {
			return nil
		}
		<-fired
		_ = set(time.Time{})
		return ctx.Err()
	}
}
