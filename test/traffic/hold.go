// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"
)

// Event is one line of a holding client's report: one of the three is set.
type Event struct {
	Held    []Held `json:"held,omitempty"`    // once, when all connections stand
	Answers []Held `json:"answers,omitempty"` // after each line on its standard input
	Ended   *Held  `json:"ended,omitempty"`   // a connection that ended
}

// Held is one connection that is kept open and idle, its client blocked in a read.
type Held struct {
	ID     int       `json:"id"`
	Local  string    `json:"local"`
	Server string    `json:"server"`
	Error  string    `json:"error,omitempty"`
	At     time.Time `json:"at"`
}

// holder keeps connections and reports what becomes of them.
type holder struct {
	mu   sync.Mutex
	enc  *json.Encoder
	wait time.Duration
}

func (h *holder) report(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_ = h.enc.Encode(e) // the reader is gone: so is the reason to report
}

// heldConn is one connection: answers carries the server's name of each response.
type heldConn struct {
	*client
	held    Held
	answers chan string
	ended   chan struct{}
	err     error // why it ended; written before ended is closed
}

// hold opens count connections, sends a request over each, and keeps them. A line on in asks each
// connection once more; the end of in ends it.
func hold(ctx context.Context, target netip.AddrPort, count int, timeout time.Duration, in io.Reader, enc *json.Encoder) error {
	h := &holder{enc: enc, wait: timeout}
	conns, err := h.open(ctx, target, count)
	if err != nil {
		return err
	}
	var held []Held
	for _, c := range conns {
		held = append(held, c.held)
	}
	h.report(Event{Held: held})
	for _, c := range conns {
		go h.watch(c)
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		h.report(Event{Answers: h.askAll(conns)})
	}
	return nil
}

func (h *holder) open(ctx context.Context, target netip.AddrPort, count int) ([]*heldConn, error) {
	var conns []*heldConn
	for id := range count {
		c, err := dial(ctx, target)
		if err != nil {
			return nil, fmt.Errorf("open connection %d: %w", id, err)
		}
		hc := &heldConn{client: c, answers: make(chan string, 1), ended: make(chan struct{})}
		if err := c.ask(false); err != nil {
			return nil, fmt.Errorf("ask over connection %d: %w", id, err)
		}
		server, err := c.answer()
		if err != nil {
			return nil, fmt.Errorf("answer over connection %d: %w", id, err)
		}
		hc.held = Held{ID: id, Local: c.LocalAddr().String(), Server: server, At: time.Now()}
		conns = append(conns, hc)
	}
	return conns, nil
}

// watch blocks in a read, as an idle client does, until an answer or the end comes.
func (h *holder) watch(c *heldConn) {
	for {
		server, err := c.answer()
		if err == nil {
			c.answers <- server
			continue
		}
		c.err = err
		close(c.ended)
		end := c.held
		end.Error, end.At = err.Error(), time.Now()
		h.report(Event{Ended: &end})
		return
	}
}

func (h *holder) askAll(conns []*heldConn) []Held {
	answers := make([]Held, len(conns))
	var asked sync.WaitGroup
	for i, c := range conns {
		asked.Go(func() { answers[i] = h.askHeld(c) })
	}
	asked.Wait()
	return answers
}

func (h *holder) askHeld(c *heldConn) Held {
	a := c.held
	a.Server = ""
	if err := c.ask(false); err != nil {
		a.Error = err.Error()
	} else {
		select {
		case a.Server = <-c.answers:
		case <-c.ended:
			a.Error = c.err.Error()
		case <-time.After(h.wait):
			a.Error = "no answer in " + h.wait.String()
		}
	}
	a.At = time.Now()
	return a
}
