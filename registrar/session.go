// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

const (
	// outboxLen and outboxBytes are what may wait to be written to one peer. When there is more, the peer does not read,
	// and is disconnected.
	outboxLen   = 256
	outboxBytes = 256 << 10
	// writeTimeout is how long one message may take to be written.
	writeTimeout = 5 * time.Second
)

// session is a peer, and its two goroutines: serve, which reads, and write.
type session struct {
	conn
	identity handlespace.Identity
	outbox   chan []byte        // the loop sends and closes: write what is there, then end
	queued   atomic.Int64       // bytes in the outbox
	cancel   context.CancelFunc // ends the session at once

	malformed int  // messages; the loop's
	closing   bool // the loop is done with it, and has told the Core; the loop's
}

func newSession(c conn, cancel context.CancelFunc) *session {
	return &session{
		conn: c, identity: handlespace.Identify(c, handlespace.Proven), outbox: make(chan []byte, outboxLen), cancel: cancel,
	}
}

// serve reads until either side ends the session, and tells the loop of each message, and in the end that it has ended.
// It returns when the writer, too, has ended. ctx is the session's, serving that of all.
func (s *session) serve(ctx, serving context.Context, inbox chan<- event) {
	var writer sync.WaitGroup
	writer.Go(func() {
		s.write(ctx)
		s.cancel()
	})
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
		e := event{from: s}
		e.message, err = wire.ParseASAP(b)
		errors.As(err, &e.fault)
		select {
		case inbox <- e:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
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
	if n := s.queued.Load(); n > 0 && n+int64(len(b)) > outboxBytes {
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
