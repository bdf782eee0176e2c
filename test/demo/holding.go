// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/weir-lb/weir/test/traffic"
)

// holding is a client that keeps idle connections open, each blocked in a read.
type holding struct {
	*session
	held []traffic.Held

	mu      sync.Mutex
	ended   map[int]traffic.Held
	answers chan []traffic.Held
}

// hold opens connections until every server has its share of them.
func (d *deployment) hold(ctx context.Context, count int) (*holding, error) {
	s, err := d.session(ctx, d.client, "hold", "--target", target.String(), "--count", fmt.Sprint(count))
	if err != nil {
		return nil, err
	}
	var first traffic.Event
	if err := s.out.Decode(&first); err != nil {
		return nil, fmt.Errorf("hold connections: %w: %s", err, tail(s.process.LogFile()))
	}
	h := &holding{session: s, held: first.Held, ended: map[int]traffic.Held{}, answers: make(chan []traffic.Held, 1)}
	go h.listen()
	return h, nil
}

func (h *holding) listen() {
	for {
		var e traffic.Event
		if h.out.Decode(&e) != nil {
			return
		}
		if e.Ended != nil {
			h.mu.Lock()
			h.ended[e.Ended.ID] = *e.Ended
			h.mu.Unlock()
		}
		if e.Answers != nil {
			h.answers <- e.Answers
		}
	}
}

// on lists the connections that a server answered.
func (h *holding) on(server string) []traffic.Held {
	var found []traffic.Held
	for _, c := range h.held {
		if c.Server == server {
			found = append(found, c)
		}
	}
	return found
}

// endedOf are those of conns that ended, and when the last of them did, counted from since.
func (h *holding) endedOf(conns []traffic.Held, since time.Time) (n int, last time.Duration, why string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range conns {
		if e, ok := h.ended[c.ID]; ok {
			n++
			last, why = max(last, e.At.Sub(since)), e.Error
		}
	}
	return n, last, why
}

// ask sends a request over each connection that stands and tells how many were answered by the
// server that they began with, of those that had not ended before.
func (h *holding) ask(ctx context.Context, servers ...string) (same, asked int, err error) {
	if _, err := fmt.Fprintln(h.in, "ask"); err != nil {
		return 0, 0, err
	}
	var answers []traffic.Held
	select {
	case answers = <-h.answers:
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
	for i, a := range answers {
		for _, server := range servers {
			if h.held[i].Server != server {
				continue
			}
			asked++
			if a.Server == server {
				same++
			}
		}
	}
	return same, asked, nil
}
