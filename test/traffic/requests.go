// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Summary is what a number of HTTP requests, each over a connection of its own, came to.
type Summary struct {
	Answers map[string]int `json:"answers"` // by the name that the server gave
	Errors  []string       `json:"errors"`  // the first few
	Failed  int            `json:"failed"`
	Slowest time.Duration  `json:"slowest_ns"`
}

// Total counts the requests.
func (s Summary) Total() int {
	n := s.Failed
	for _, count := range s.Answers {
		n += count
	}
	return n
}

const errorsKept = 5

// recorder gathers a Summary from several clients.
type recorder struct {
	mu sync.Mutex
	s  Summary
}

func newRecorder() *recorder { return &recorder{s: Summary{Answers: map[string]int{}}} }

func (r *recorder) add(server string, took time.Duration, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.s.Slowest = max(r.s.Slowest, took)
	if err == nil {
		r.s.Answers[server]++
		return
	}
	r.s.Failed++
	if len(r.s.Errors) < errorsKept {
		r.s.Errors = append(r.s.Errors, fmt.Sprintf("%s: %v", time.Now().Format(time.TimeOnly+".000"), err))
	}
}

// Requests sends count requests by parallel clients.
func Requests(ctx context.Context, target netip.AddrPort, count, parallel int, timeout time.Duration) Summary {
	rec := newRecorder()
	work := make(chan struct{})
	var clients sync.WaitGroup
	for range parallel {
		clients.Go(func() {
			for range work {
				requestOnce(ctx, rec, target, timeout)
			}
		})
	}
	for range count {
		work <- struct{}{}
	}
	close(work)
	clients.Wait()
	return rec.s
}

// Load sends requests by parallel clients, each with a pause between two, until ctx ends. A
// request that is under way then is finished.
func Load(ctx context.Context, target netip.AddrPort, parallel int, every, timeout time.Duration) Summary {
	rec := newRecorder()
	var clients sync.WaitGroup
	for range parallel {
		clients.Go(func() {
			tick := time.NewTicker(every)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					requestOnce(context.WithoutCancel(ctx), rec, target, timeout)
				}
			}
		})
	}
	clients.Wait()
	return rec.s
}

func requestOnce(ctx context.Context, rec *recorder, target netip.AddrPort, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	began := time.Now()
	server, err := request(ctx, target)
	rec.add(server, time.Since(began), err)
}

// request is one GET over a new connection.
func request(ctx context.Context, target netip.AddrPort) (server string, err error) {
	c, err := dial(ctx, target)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.ask(true); err != nil {
		return "", err
	}
	return c.answer()
}

// client is one HTTP/1.1 connection.
type client struct {
	net.Conn
	target netip.AddrPort
	read   *bufio.Reader
}

func dial(ctx context.Context, target netip.AddrPort) (*client, error) {
	d := net.Dialer{}
	d.SetMultipathTCP(false)
	conn, err := d.DialContext(ctx, "tcp", target.String())
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return &client{Conn: conn, target: target, read: bufio.NewReader(conn)}, nil
}

func (c *client) ask(last bool) error {
	req, err := http.NewRequest(http.MethodGet, "http://"+c.target.String()+"/", nil)
	if err != nil {
		return err
	}
	req.Close = last
	return req.Write(c)
}

// answer reads one response, whose body is the server's name.
func (c *client) answer() (string, error) {
	resp, err := http.ReadResponse(c.read, nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %s", resp.Status)
	}
	return strings.TrimSpace(string(body)), nil
}
