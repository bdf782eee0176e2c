// SPDX-License-Identifier: Apache-2.0

package link

import (
	"context"
	"errors"
	"sync"

	"github.com/weir-lb/weir/agent/hunt"
)

// ErrNotReading is why a session is given up whose Link cannot send.
var ErrNotReading = errors.New("the registrar does not read what we send")

// Session is a *transport.Session.
type Session interface {
	Read(ctx context.Context) ([]byte, error)
	Write(ctx context.Context, message []byte) error
	Close() error
}

// Via names a link among those of its loop.
type Via uint32

// Report is what a link tells its loop: one message, or why the session has ended.
type Report struct {
	Via  Via
	Data []byte
	Err  error
}

// Link is a session that is read and written.
type Link struct {
	Via    Via
	Target *hunt.Target // nil if the registrar came to us

	session Session
	reports chan<- Report
	queue   chan []byte
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// Start takes the session over, until Close; the end of ctx does not close it. room is how many messages may wait for the
// socket. reports must have no buffer.
func Start(ctx context.Context, via Via, target *hunt.Target, session Session, room int, reports chan<- Report) *Link {
	ctx, cancel := context.WithCancel(ctx)
	l := &Link{
		Via: via, Target: target,
		session: session, reports: reports, queue: make(chan []byte, room), cancel: cancel,
	}
	l.running.Go(func() { l.read(ctx) })
	l.running.Go(func() { l.write(ctx) })
	return l
}

// Send queues one message; false if the queue is full: the registrar does not read.
func (l *Link) Send(data []byte) bool {
	select {
	case l.queue <- data:
		return true
	default:
		return false
	}
}

// Close ends the session and waits for both goroutines. What is still queued is lost, and nothing is reported any more:
// reports has no buffer.
func (l *Link) Close() {
	l.cancel()
	_ = l.session.Close() // its error says only that the registrar left first
	l.running.Wait()
}

func (l *Link) read(ctx context.Context) {
	for {
		data, err := l.session.Read(ctx)
		l.report(ctx, Report{l.Via, data, err})
		if err != nil {
			return
		}
	}
}

func (l *Link) write(ctx context.Context) {
	for {
		select {
		case data := <-l.queue:
			if err := l.session.Write(ctx, data); err != nil {
				l.report(ctx, Report{l.Via, nil, err})
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func (l *Link) report(ctx context.Context, r Report) {
	select {
	case l.reports <- r:
	case <-ctx.Done():
	}
}
