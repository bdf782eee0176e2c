// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/weir-lb/weir/registrar/wire"
)

// Session carries messages to and from a peer. Its Kind says what the peer has
// proved: only a configuration that says so makes one without a proven identity.
type Session struct {
	id            uint64
	kind          Kind
	peer          string
	protocol      wire.Protocol
	local, remote []netip.AddrPort
	carrier       carrier

	reading, writing turn
	broken           error       // a write that stopped midway ends all writing; under writing
	ended            atomic.Bool // the peer has closed
	closed           sync.Once
}

var errEnded = errors.New("the peer has closed the session")

func newSession(s *socket, c carrier, kind Kind, peer string) *Session {
	return &Session{
		id:   rand.Uint64(),
		kind: kind, peer: peer,
		protocol: s.protocol, local: s.local, remote: s.remote,
		carrier: c,
		reading: newTurn(), writing: newTurn(),
	}
}

// ID tells this session from all others of the process: 64 random bits.
func (s *Session) ID() uint64 { return s.id }

// Kind is what the peer has proved.
func (s *Session) Kind() Kind { return s.kind }

// Peer is, of a proven session, the identity whose key both ends proved: on the
// side that dialed, the identity with which it did. Of an anonymous one it is
// the name that the server's certificate proved, on the side that dialed. It is
// empty otherwise.
func (s *Session) Peer() string { return s.peer }

// Protocol is what carries the session: TCP or SCTP.
func (s *Session) Protocol() wire.Protocol { return s.protocol }

// RemoteAddrs are the peer's addresses; over TCP there is one.
func (s *Session) RemoteAddrs() []netip.AddrPort { return slices.Clone(s.remote) }

// LocalAddrs are this end's addresses; over TCP there is one.
func (s *Session) LocalAddrs() []netip.AddrPort { return slices.Clone(s.local) }

// Read returns one message, without padding. When ctx ends it returns ctx's error
// at once, and a later Read goes on where it stopped. io.EOF means that the peer
// closed the session between two messages, io.ErrUnexpectedEOF that the stream
// broke off. A header with a length below 4 closes the session.
func (s *Session) Read(ctx context.Context) ([]byte, error) {
	if err := s.reading.take(ctx); err != nil {
		return nil, s.failed("read from", err)
	}
	defer s.reading.give()
	done := interrupt(ctx, s.carrier.SetReadDeadline)
	msg, err := s.carrier.readMessage()
	ended := done()
	switch {
	case err == nil:
		return msg, nil
	case errors.Is(err, io.EOF):
		s.ended.Store(true)
		return nil, io.EOF // as it is: it is an end, not a failure
	case ended != nil:
		err = ended
	case errors.Is(err, errFrame):
		_ = s.Close() // the framing error is what counts
	}
	return nil, s.failed("read from", err)
}

// Write sends one message, whose header must give its length; the message may
// be followed by its padding. Writes wait for each other. When ctx ends during a
// Write, a part of the message may be sent, and the session can only be closed.
// A peer that reads nothing for 10 s loses the session.
func (s *Session) Write(ctx context.Context, msg []byte) error {
	whole, err := padded(msg)
	if err != nil {
		return s.failed("write to", err)
	}
	if err := s.writing.take(ctx); err != nil {
		return s.failed("write to", err)
	}
	defer s.writing.give()
	switch {
	case s.broken != nil:
		return s.broken
	case s.ended.Load():
		return s.failed("write to", errEnded)
	}
	done := interrupt(ctx, s.carrier.SetWriteDeadline)
	err = s.carrier.writeMessage(whole)
	if ended := done(); err != nil && ended != nil {
		err = ended
	}
	if err != nil {
		s.broken = s.failed("write to", err)
	}
	return s.broken
}

// Close tells the peer, as far as the buffers take that at once, and ends the
// calls that wait. It takes some 20 ms at most; again, it does nothing.
func (s *Session) Close() (err error) {
	s.closed.Do(func() { err = s.carrier.Close() })
	return err
}

// failed names the peer, who has a name only if it proved one.
func (s *Session) failed(doing string, err error) error {
	if s.peer == "" {
		return fmt.Errorf("%s %v: %w", doing, s.remote[0], err)
	}
	return fmt.Errorf("%s %q: %w", doing, s.peer, err)
}
