// SPDX-License-Identifier: Apache-2.0

package psk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// maxHandshake is how many bytes of the peer a handshake takes. With
// pre-shared keys it needs about 1 KiB, some 2 more with a post-quantum share.
const maxHandshake = 16 << 10

// The record types that may begin the peer's side (RFC 8446 5.1).
const (
	recordAlert     = 0x15
	recordHandshake = 0x16
)

// Error is a failure of TLS itself.
type Error struct {
	Op     string // "handshake", "read" or "write"
	Reason string // OpenSSL's word for it, or ours
}

func (e *Error) Error() string { return "TLS " + e.Op + ": " + e.Reason }

// HandshakeContext proves the key to the peer, and that the peer has it. When it
// fails, or ctx ends first, the connection can only be closed. To be called
// once, before Read and Write. Errors: ErrOwnIdentity, ErrNotTLS, ctx's, an
// *Error, or the network's.
func (c *Conn) HandshakeContext(ctx context.Context) error {
	tls, err := c.start()
	if err != nil {
		return err
	}
	past := time.Unix(1, 0)
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(past) })
	err = c.handshake(tls)
	if !stop() { // the deadline is gone, and the connection with it
		return context.Cause(ctx)
	}
	if err != nil {
		return c.end(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ready = true
	c.identity = tls.claim().identity
	return nil
}

func (c *Conn) start() (*engine, error) {
	if err := c.cfg.validate(c.server); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shut {
		return nil, net.ErrClosed
	}
	if c.tls != nil {
		return nil, errors.New("the TLS handshake has been tried")
	}
	tls, err := newEngine(c.cfg.Keys.store, c.server, c.cfg)
	c.tls = tls
	return tls, err
}

// handshake runs in one goroutine, and is alone with the connection.
func (c *Conn) handshake(tls *engine) error {
	var in []byte
	left := maxHandshake
	for {
		r := tls.handshake(in)
		// Also a failed step has something to say: the alert.
		err := c.flush(tls, r.pending)
		switch {
		case r.status == done && err == nil:
			return nil
		case r.status == failed || r.status == closed:
			return c.refusal(tls, r.why)
		case err != nil:
			return fmt.Errorf("TLS handshake: %w", err)
		case left == 0:
			return &Error{"handshake", "it takes too many bytes"}
		}
		n, err := c.conn.Read(c.in[:min(len(c.in), left)])
		if n == 0 && err != nil {
			return handshakeError(err)
		}
		in = c.in[:n]
		if left == maxHandshake && !c.begins(in[0]) {
			return ErrNotTLS
		}
		left -= n
	}
}

// begins tells whether b can be the peer's first byte. A peer that speaks
// something else would otherwise hold its place until the deadline.
func (c *Conn) begins(b byte) bool {
	return b == recordHandshake || b == recordAlert && !c.server
}

// refusal says why a handshake failed, in words for this end's log: the peer
// has only seen the alert. What a peer claims is not proven.
func (c *Conn) refusal(tls *engine, why string) error {
	claim := tls.claim()
	switch {
	case !c.server || claim.identity == "":
		return &Error{"handshake", why}
	case claim.own:
		return fmt.Errorf("%w (%q)", ErrOwnIdentity, claim.identity)
	case !claim.known:
		return &Error{"handshake", fmt.Sprintf("there is no key for the identity %q", claim.identity)}
	}
	return &Error{"handshake", fmt.Sprintf("the peer that claims to be %q: %s", claim.identity, why)}
}

func handshakeError(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("TLS handshake: %w", err)
}
