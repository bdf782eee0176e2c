// SPDX-License-Identifier: Apache-2.0

package psk

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	maxRecord = 16 << 10 // bytes of data in a TLS record
	// maxPending bounds what reading may leave for the peer until the next Write:
	// a peer that asks for more answers than that loses the connection.
	maxPending = 16 << 10
	// maxOut is how much of a write buffer an idle connection keeps, in bytes.
	maxOut = 4 << 10
	// closeWait is how long Close tries to say goodbye when the buffers are full.
	closeWait = 20 * time.Millisecond
)

var (
	// errHandshake: the caller reads or writes too early.
	errHandshake = errors.New("the TLS handshake has not finished")
	// errPeerClosed is for a Write after the Read that returned io.EOF.
	errPeerClosed = errors.New("the peer has closed the TLS connection")
)

// Conn is a TLS connection over a net.Conn, which it owns. Read, Write and Close
// are safe beside each other.
//
// Locks: readMu and writeMu are each held while the network is waited for, and
// nobody takes one while holding the other; so a peer that stops reading stops
// our writers only. The engine's own lock is the innermost and is held only
// inside TLS.
type Conn struct {
	conn   net.Conn
	cfg    Config // keeps Keys, and with it the C memory, alive
	server bool

	mu       sync.Mutex // guards the five below
	tls      *engine
	ready    bool // the handshake has finished
	shut     bool
	identity string
	fatal    error // ends reading and writing

	readMu sync.Mutex
	in     [4 << 10]byte // the peer's bytes on their way to the engine

	writeMu  sync.Mutex
	out      []byte
	writeErr error // a write that stopped midway ends all writing
}

// Client returns the client's side of a TLS connection over conn.
func Client(conn net.Conn, cfg Config) *Conn { return &Conn{conn: conn, cfg: cfg} }

// Server returns the server's side of a TLS connection over conn.
func Server(conn net.Conn, cfg Config) *Conn { return &Conn{conn: conn, cfg: cfg, server: true} }

// PeerIdentity is the identity whose key both ends proved: for a server the
// client's, for a client the one that it presented. Empty before the handshake.
func (c *Conn) PeerIdentity() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.identity
}

// Suite returns the version and the suite's name in the registry of IANA, such
// as "TLS_AES_128_GCM_SHA256". Zero and empty before the handshake.
func (c *Conn) Suite() (Version, string) {
	tls, err := c.usable()
	if err != nil {
		return 0, ""
	}
	return tls.suite()
}

// NetConn returns the connection below, for its addresses and socket options.
func (c *Conn) NetConn() net.Conn { return c.conn }

// SetReadDeadline bounds Read; a Read that it ends can be repeated.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.conn.SetReadDeadline(t) }

// SetWriteDeadline bounds Write; a Write that it ends is the last one.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.conn.SetWriteDeadline(t) }

// usable returns the engine once the handshake has finished.
func (c *Conn) usable() (*engine, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.shut:
		return nil, net.ErrClosed
	case c.fatal != nil:
		return nil, c.fatal
	case !c.ready:
		return nil, errHandshake
	}
	return c.tls, nil
}

// end makes err the answer to every later call, and returns it; net.ErrClosed
// when this end closed the connection.
func (c *Conn) end(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shut {
		return net.ErrClosed
	}
	if c.fatal == nil {
		c.fatal = err
	}
	return err
}

// Read reads decrypted bytes. io.EOF means that the peer closed the TLS
// connection; a stream that only stops is io.ErrUnexpectedEOF.
func (c *Conn) Read(p []byte) (int, error) {
	c.readMu.Lock()
	defer c.readMu.Unlock()
	tls, err := c.usable()
	if err != nil || len(p) == 0 {
		return 0, err
	}
	var in []byte
	for {
		r := tls.read(in, p)
		switch {
		case r.status == done:
			return r.n, nil
		case r.status == closed:
			return 0, c.end(io.EOF)
		case r.status == failed:
			return 0, c.end(&Error{Op: "read", Reason: r.why})
		case r.pending > maxPending:
			return 0, c.end(&Error{Op: "read", Reason: "the peer asks for answers without end"})
		}
		n, err := c.conn.Read(c.in[:])
		if n == 0 && err != nil {
			return 0, c.readError(err)
		}
		in = c.in[:n]
	}
}

// readError: a deadline leaves the connection as it is, all else ends it.
func (c *Conn) readError(err error) error {
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return err
	case errors.Is(err, io.EOF):
		return c.end(io.ErrUnexpectedEOF)
	}
	return c.end(err)
}

// Write encrypts and sends p. After an error nothing more can be written: the
// peer may have seen a part of a record.
func (c *Conn) Write(p []byte) (int, error) {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	tls, err := c.usable()
	switch {
	case errors.Is(err, io.EOF):
		return 0, errPeerClosed
	case err != nil:
		return 0, err
	case c.writeErr != nil:
		return 0, c.writeErr
	}
	sent := 0
	for sent < len(p) {
		n, err := c.writeRecord(tls, p[sent:min(len(p), sent+maxRecord)])
		if err != nil {
			c.writeErr = err
			return sent, err
		}
		sent += n
	}
	return sent, nil
}

func (c *Conn) writeRecord(tls *engine, p []byte) (int, error) {
	r := tls.write(p)
	if r.status != done {
		return 0, c.end(&Error{Op: "write", Reason: r.why})
	}
	return r.n, c.flush(tls, r.pending)
}

// flush sends what waits for the peer, in the order in which TLS made it: the
// caller holds writeMu, or is the handshake.
func (c *Conn) flush(tls *engine, pending int) error {
	for pending > 0 {
		if cap(c.out) < pending {
			c.out = make([]byte, pending)
		}
		out := c.out[:cap(c.out)]
		n := tls.drain(out)
		if cap(c.out) > maxOut {
			c.out = nil
		}
		if n == 0 {
			return nil
		}
		if _, err := c.conn.Write(out[:n]); err != nil {
			return err
		}
		pending -= n
	}
	return nil
}

// Close says close_notify if the buffers take it at once, closes the net.Conn,
// and with it ends the calls that wait. It returns within some 20 ms.
func (c *Conn) Close() error {
	c.mu.Lock()
	tls, ready, again := c.tls, c.ready, c.shut
	c.shut = true
	c.mu.Unlock()
	if again {
		return nil
	}
	if ready {
		c.goodbye(tls)
	}
	err := c.conn.Close()
	if tls != nil {
		tls.free()
	}
	return err
}

// goodbye lets a Write that is on its way come to its end, for as long as it
// may itself take; if that Write fails, the peer sees a stream that stops, as it
// must.
func (c *Conn) goodbye(tls *engine) {
	_ = c.conn.SetWriteDeadline(time.Now().Add(closeWait))
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	if c.writeErr != nil {
		return
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(closeWait))
	// The connection ends here in any case: what cannot be sent is dropped.
	_ = c.flush(tls, tls.shutdown().pending)
}
