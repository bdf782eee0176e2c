// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/weir-lb/weir/test/lab"
)

// clientTimeout ends a request or an answer that hangs.
const clientTimeout = 3 * time.Second

// conn is one HTTP connection of the client, which stays open.
type conn struct {
	net.Conn
	read   *bufio.Reader
	server string // who answered first
}

// dial opens a connection and asks once.
func (n *network) dial(target netip.AddrPort) (*conn, error) {
	c := &conn{}
	err := n.client.Do(func() (err error) {
		c.Conn, err = net.DialTimeout("tcp4", target.String(), clientTimeout)
		return err
	})
	if err != nil {
		return nil, err
	}
	c.read = bufio.NewReader(c)
	if c.server, err = c.ask(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// ask sends one request and returns the name that answers.
func (c *conn) ask() (string, error) { return c.askFor(clientTimeout) }

// askFor is ask with patience of its own.
func (c *conn) askFor(limit time.Duration) (string, error) {
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
		return "", err
	}
	response, err := http.ReadResponse(c.read, nil)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(response.Body)
	return string(body), errors.Join(err, response.Body.Close())
}

// request asks over a connection of its own.
func (n *network) request(target netip.AddrPort) (string, error) {
	c, err := n.dial(target)
	if err != nil {
		return "", err
	}
	return c.server, c.Close()
}

// requests sends count requests, none of which may fail, and counts the answers by server.
func (n *network) requests(target netip.AddrPort, count int) map[string]int {
	n.t.Helper()
	answers := map[string]int{}
	for range count {
		name, err := n.request(target)
		if err != nil {
			n.t.Fatalf("request to %s: %v", target, err)
		}
		answers[name]++
	}
	return answers
}

// enough requests reach every active element: two of equal weight are both chosen but once in 2^31.
const enough = 32

// hold opens idle connections until each server has at least two; the first index is the server.
func (n *network) hold(target netip.AddrPort) (held [servers][]*conn) {
	n.t.Helper()
	for range enough {
		c, err := n.dial(target)
		n.must(err)
		n.t.Cleanup(func() { c.Close() }) // it may have ended
		for i := range held {
			if c.server == serverName(i) {
				held[i] = append(held[i], c)
			}
		}
	}
	for i := range held {
		if len(held[i]) < 2 {
			n.t.Fatalf("%s has %d of %d connections", serverName(i), len(held[i]), enough)
		}
	}
	return held
}

// expectAnswers checks that established connections are answered by their own server.
func (n *network) expectAnswers(held []*conn) {
	n.t.Helper()
	for _, c := range held {
		if name, err := c.ask(); err != nil || name != c.server {
			n.t.Fatalf("a connection to %s: %q, %v", c.server, name, err)
		}
	}
}

// expectResets checks that idle connections, blocked in a read, are reset within limit.
func (n *network) expectResets(held []*conn, limit time.Duration) {
	n.t.Helper()
	deadline := time.Now().Add(limit)
	for _, c := range held {
		n.must(c.SetReadDeadline(deadline))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			n.t.Fatalf("an idle connection to %s, within %s: %v, want a reset", c.server, limit, err)
		}
	}
}

// expectOnly checks that new connections reach these servers and no other.
func (n *network) expectOnly(target netip.AddrPort, want ...int) {
	n.t.Helper()
	answers := n.requests(target, enough)
	for _, i := range want {
		if answers[serverName(i)] == 0 {
			n.t.Errorf("%d requests to %s: %v, want some at %s", enough, target, answers, serverName(i))
		}
		delete(answers, serverName(i))
	}
	if len(answers) > 0 {
		n.t.Errorf("requests to %s were answered by %v too", target, answers)
	}
}

// browser is an HTTP client inside a node, for what is no traffic of the gateway's.
func (n *network) browser(node *lab.Node) *http.Client {
	return &http.Client{Timeout: clientTimeout, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(_ context.Context, network, address string) (conn net.Conn, err error) {
			err = node.Do(func() error {
				conn, err = net.DialTimeout(network, address, clientTimeout)
				return err
			})
			return conn, err
		},
	}}
}
