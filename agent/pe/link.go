// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"context"
	"errors"
	"sync"

	"github.com/weir-lb/weir/agent/hunt"
	"github.com/weir-lb/weir/registrar/transport"
)

// sendQueue is how many messages may wait for the socket. An element sends one
// answer per keep-alive and little else, so that a full queue means that the
// registrar does not read: the session is then given up.
const sendQueue = 32

var errNotReading = errors.New("the registrar does not read what we send")

// inbound is what a link reports: one message, or why the session has ended.
type inbound struct {
	via  via
	data []byte
	err  error
}

// link is a session and the two goroutines that read and write it, so that the
// loop never waits for a socket.
type link struct {
	via     via
	target  *hunt.Target // nil if the registrar came to us
	session *transport.Session
	reports chan<- inbound
	queue   chan []byte
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func startLink(ctx context.Context, v via, session *transport.Session, reports chan<- inbound) *link {
	ctx, cancel := context.WithCancel(ctx)
	l := &link{via: v, session: session, reports: reports, queue: make(chan []byte, sendQueue), cancel: cancel}
	l.running.Go(func() { l.read(ctx) })
	l.running.Go(func() { l.write(ctx) })
	return l
}

// send queues one message; false if the queue is full.
func (l *link) send(data []byte) bool {
	select {
	case l.queue <- data:
		return true
	default:
		return false
	}
}

// close ends the session and waits for both goroutines. What is still queued
// is lost, and nothing is reported any more: reports has no buffer.
func (l *link) close() {
	l.cancel()
	l.session.Close() // its error says only that the registrar left first
	l.running.Wait()
}

func (l *link) read(ctx context.Context) {
	for {
		data, err := l.session.Read(ctx)
		l.report(ctx, inbound{l.via, data, err})
		if err != nil {
			return
		}
	}
}

func (l *link) write(ctx context.Context) {
	for {
		select {
		case data := <-l.queue:
			if err := l.session.Write(ctx, data); err != nil {
				l.report(ctx, inbound{l.via, nil, err})
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func (l *link) report(ctx context.Context, in inbound) {
	select {
	case l.reports <- in:
	case <-ctx.Done():
	}
}
