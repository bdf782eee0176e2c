// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// maxOpening is how many bytes a peer may send before it is a session: a
// ClientHello has some 2 KiB with a post-quantum share, a plain message at most
// 64 KiB.
const maxOpening = 64 << 10

// closeWait is how long a goodbye may take when the buffers are full.
const closeWait = 20 * time.Millisecond

var (
	errOpening = errors.New("the peer sends too many bytes before it has proved anything")
	// errBroken is the end of a connection below TLS: not an end that TLS has
	// confirmed. crypto/tls would take io.EOF between two records for one.
	errBroken = fmt.Errorf("%w of the connection below TLS", io.ErrUnexpectedEOF)
)

// opening is a connection whose first bytes decide what it becomes. They are
// looked at, and then read again by the one who deals with them.
type opening struct {
	net.Conn
	seen    []byte // not yet read again
	left    int    // bytes that may still come; without a bound once it is open
	open    bool
	closing atomic.Bool
}

func newOpening(c net.Conn) *opening { return &opening{Conn: c, left: maxOpening} }

// peek returns the first n bytes.
func (o *opening) peek(n int) ([]byte, error) {
	for len(o.seen) < n {
		p := make([]byte, n-len(o.seen))
		m, err := o.receive(p)
		o.seen = append(o.seen, p[:m]...)
		if err != nil && len(o.seen) < n {
			return nil, err
		}
	}
	return o.seen[:n], nil
}

// Read gives what was seen first.
func (o *opening) Read(p []byte) (int, error) {
	if len(o.seen) > 0 {
		n := copy(p, o.seen)
		o.seen = o.seen[n:]
		return n, nil
	}
	o.seen = nil
	return o.receive(p)
}

func (o *opening) receive(p []byte) (int, error) {
	if !o.open {
		if o.left == 0 {
			return 0, errOpening
		}
		p = p[:min(len(p), o.left)]
	}
	n, err := o.Conn.Read(p)
	o.left -= n
	if errors.Is(err, io.EOF) {
		err = errBroken
	}
	return n, err
}

// opened takes the bound away: the connection has become a session.
func (o *opening) opened() { o.open = true }

// goodbye leaves the writes on their way, and those to come, no more than
// closeWait.
func (o *opening) goodbye() {
	o.closing.Store(true)
	_ = o.SetWriteDeadline(time.Time{}) // fails only on a closed socket
}

// SetWriteDeadline is cut short after goodbye: crypto/tls gives its own goodbye
// 5 s.
func (o *opening) SetWriteDeadline(t time.Time) error {
	if latest := time.Now().Add(closeWait); o.closing.Load() && (t.IsZero() || t.After(latest)) {
		t = latest
	}
	return o.Conn.SetWriteDeadline(t)
}
