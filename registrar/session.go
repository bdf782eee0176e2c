// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-lb/weir/registrar/enrp"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/wire"
)

const (
	// outboxLen and outboxBytes are what may wait to be written to one peer. When there is more, the peer does not read,
	// and is disconnected. To other registrars goes what all elements together lead to.
	outboxLen       = 256
	outboxBytes     = 256 << 10
	peerOutboxLen   = 4096
	peerOutboxBytes = 4 << 20
	// writeTimeout is how long one message may take to be written.
	writeTimeout = 5 * time.Second
)

// session is a peer, and its two goroutines: serve, which reads, and write.
type session struct {
	conn
	speaks   language
	identity handlespace.Identity
	server   wire.ServerID      // the registrar whose key it is; 0 if it speaks ASAP, or without keys
	outbox   chan []byte        // the loop sends and closes: write what is there, then end
	queued   atomic.Int64       // bytes in the outbox
	most     int64              // that may be queued
	accepted bool               // not dialled
	cancel   context.CancelFunc // ends the session at once

	malformed int  // messages; the loop's
	closing   bool // the loop is done with it, and has told the Core; the loop's
}

func newSession(c conn, speaks language, server wire.ServerID, cancel context.CancelFunc) *session {
	s := &session{conn: c, speaks: speaks, identity: identify(c), server: server, cancel: cancel}
	s.outbox, s.most = make(chan []byte, outboxLen), outboxBytes
	if speaks == speaksENRP {
		s.outbox, s.most = make(chan []byte, peerOutboxLen), peerOutboxBytes
	}
	return s
}

// identify makes the identity of a session by what its transport says of it.
func identify(c conn) handlespace.Identity {
	switch c.Kind() {
	case transport.Proven:
		return handlespace.Identify(c, handlespace.Proven)
	case transport.Anonymous:
		return handlespace.Identify(c, handlespace.Anonymous)
	}
	return handlespace.Identify(c, handlespace.Plain)
}

// from is the session for ENRP.
func (s *session) from() enrp.From { return enrp.From{Session: s.ID(), Server: s.server} }

// event is something that a session's reader has to tell: a message, a fault, both, or that the session has ended.
type event struct {
	from   *session
	asap   wire.Message     // or
	enrp   wire.ENRPMessage // by what the session speaks
	fault  *wire.Error
	ended  bool
	reason closeReason // why it ended
}

// serve reads until either side ends the session, and tells the loop of each message, and in the end that it has ended.
// It returns when the writer, too, has ended. ctx is the session's, serving that of all. Nothing is read before the
// registrar is ready, which ready tells.
func (s *session) serve(ctx, serving context.Context, ready <-chan struct{}, inbox chan<- event) {
	var writer sync.WaitGroup
	writer.Go(func() {
		s.write(ctx)
		s.cancel()
	})
	select {
	case <-ready:
	case <-ctx.Done():
	}
	err := s.read(ctx, inbox)
	s.cancel()
	writer.Wait()
	s.Close() // the peer knows, or never will
	ended := event{from: s, ended: true, reason: closeBroken}
	if errors.Is(err, io.EOF) {
		ended.reason = closePeer
	}
	select {
	case inbox <- ended:
	case <-serving.Done():
	}
}

func (s *session) read(ctx context.Context, inbox chan<- event) error {
	for {
		b, err := s.Read(ctx)
		if err != nil {
			return err
		}
		select {
		case inbox <- s.parse(b):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *session) parse(b []byte) event {
	e := event{from: s}
	var err error
	if s.speaks == speaksENRP {
		e.enrp, err = wire.ParseENRP(b)
	} else {
		e.asap, err = wire.ParseASAP(b)
	}
	errors.As(err, &e.fault)
	return e
}

// write writes what is in the outbox until it is closed and empty, or ctx ends, or the peer does not take it.
func (s *session) write(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case b, ok := <-s.outbox:
			if !ok || s.writeOne(ctx, b) != nil {
				return
			}
			s.queued.Add(-int64(len(b)))
		}
	}
}

func (s *session) writeOne(ctx context.Context, b []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return s.Write(ctx, b)
}

// put queues a message. Returns false if the peer has not read for too long. A single message always has room.
func (s *session) put(b []byte) bool {
	if n := s.queued.Load(); n > 0 && n+int64(len(b)) > s.most {
		return false
	}
	select {
	case s.outbox <- b:
		s.queued.Add(int64(len(b)))
		return true
	default:
		return false
	}
}
