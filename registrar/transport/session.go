// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"

	"github.com/weir-lb/weir/registrar/transport/psk"
)

// Session carries messages to and from a peer that has proved its identity.
// Only a finished handshake makes one: Listener.Accept and Dial.
type Session struct {
	id            uint64
	peer          string
	local, remote netip.AddrPort
	conn          *psk.Conn

	reading, writing turn
	frames           frameReader // used under reading
}

func newSession(conn *psk.Conn) *Session {
	return &Session{
		id:      rand.Uint64(),
		peer:    conn.PeerIdentity(),
		local:   addrPort(conn.NetConn().LocalAddr()),
		remote:  addrPort(conn.NetConn().RemoteAddr()),
		conn:    conn,
		reading: newTurn(), writing: newTurn(),
		frames: frameReader{r: conn},
	}
}

// ID tells this session from all others of the process: 64 random bits.
func (s *Session) ID() uint64 { return s.id }

// Peer is the identity whose key both ends proved; on the side that dialed, the
// identity with which it did.
func (s *Session) Peer() string { return s.peer }

// RemoteAddrs are the peer's addresses; over TCP there is one.
func (s *Session) RemoteAddrs() []netip.AddrPort { return []netip.AddrPort{s.remote} }

// LocalAddr is this end's address.
func (s *Session) LocalAddr() netip.AddrPort { return s.local }

// Read returns one message, without padding. When ctx ends it returns ctx's error
// at once, and a later Read goes on where it stopped. io.EOF means that the peer
// closed the session between two messages, io.ErrUnexpectedEOF that the stream
// broke off. A header with a length below 4 closes the session.
func (s *Session) Read(ctx context.Context) ([]byte, error) {
	if err := s.reading.take(ctx); err != nil {
		return nil, fmt.Errorf("read from %q: %w", s.peer, err)
	}
	defer s.reading.give()
	done := interrupt(ctx, s.conn.SetReadDeadline)
	msg, err := s.frames.next()
	ended := done()
	switch {
	case err == nil:
		return msg, nil
	case errors.Is(err, io.EOF):
		return nil, io.EOF // as it is: it is an end, not a failure
	case ended != nil:
		err = ended
	case errors.Is(err, errFrame):
		_ = s.conn.Close() // the framing error is what counts
	}
	return nil, fmt.Errorf("read from %q: %w", s.peer, err)
}

// Write sends one message, whose header must give its length; the message may
// be followed by its padding. Writes wait for each other. When ctx ends during a
// Write, a part of the message may be sent, and the session can only be closed.
// A peer that reads nothing for 10 s loses the session.
func (s *Session) Write(ctx context.Context, msg []byte) error {
	stream, err := padded(msg)
	if err != nil {
		return fmt.Errorf("write to %q: %w", s.peer, err)
	}
	if err := s.writing.take(ctx); err != nil {
		return fmt.Errorf("write to %q: %w", s.peer, err)
	}
	defer s.writing.give()
	done := interrupt(ctx, s.conn.SetWriteDeadline)
	_, err = s.conn.Write(stream)
	if ended := done(); err != nil && ended != nil {
		err = ended
	}
	if err != nil {
		return fmt.Errorf("write to %q: %w", s.peer, err)
	}
	return nil
}

// Close tells the peer, as far as the buffers take that at once, and ends the
// calls that wait. It takes some 20 ms at most; again, it does nothing.
func (s *Session) Close() error { return s.conn.Close() }
