// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/weir-lb/weir/registrar/transport/psk"
)

// linger is how long a peer that was turned away may take to read its answer.
const linger = time.Second

// side is what a connection has to go through, by its first bytes.
type side uint8

const (
	sideKey         side = iota // prove a pre-shared key
	sideCertificate             // be shown our certificate
	sidePlain                   // be turned away: it does not speak TLS
)

// authenticate makes a session of a connection, or closes it.
func (l *Listener) authenticate(ctx context.Context, in incoming) (*Session, error) {
	s, err := in.open()
	if err != nil {
		return nil, err
	}
	if l.cfg.Plain {
		return newSession(s, s.plain, Plain, ""), nil
	}
	ctx, cancel := context.WithTimeout(ctx, l.cfg.HandshakeTimeout)
	defer cancel()
	c := newOpening(s.Conn)
	session, err := l.shake(ctx, s, c)
	if err != nil {
		_ = c.Close() // again, perhaps; the handshake's error is what counts
		return nil, err
	}
	return session, nil
}

func (l *Listener) shake(ctx context.Context, s *socket, c *opening) (*Session, error) {
	side, err := l.side(ctx, c)
	switch {
	case err != nil:
		return nil, err
	case side == sidePlain:
		return nil, l.turnAway(ctx, s, c)
	case side == sideCertificate:
		conn, err := serverCertificate(ctx, c, &l.cfg)
		if err != nil {
			return nil, err
		}
		return newSession(s, newStream(conn), Anonymous, ""), nil
	}
	conn, err := proveKey(ctx, c, psk.Server(c, psk.Config{Keys: l.cfg.Keys, Identity: l.cfg.Identity}))
	if err != nil {
		return nil, err
	}
	return newSession(s, newStream(conn), Proven, conn.PeerIdentity()), nil
}

// side looks at the first byte, and, if there are both keys and a certificate, at
// the whole ClientHello. Who offers a key never gets the certificate.
func (l *Listener) side(ctx context.Context, c *opening) (side, error) {
	done := interrupt(ctx, c.SetReadDeadline)
	s, err := l.sideOf(c)
	if done() != nil {
		return s, context.Cause(ctx)
	}
	return s, err
}

func (l *Listener) sideOf(c *opening) (side, error) {
	first, err := c.peek(1)
	switch {
	case err != nil:
		return 0, err
	case first[0] != recordHandshake && l.cfg.OnPlain != nil:
		return sidePlain, nil
	case first[0] != recordHandshake:
		return 0, psk.ErrNotTLS
	case !l.cfg.secures():
		return 0, errTLS
	case l.cfg.Certificate == nil:
		return sideKey, nil
	case l.cfg.Keys == nil:
		return sideCertificate, nil
	}
	hello, err := readHello(c)
	if err != nil || offersKey(hello) {
		return sideKey, err
	}
	return sideCertificate, nil
}

// turnAway answers the one message that a peer without TLS may say. It leaves the
// peer time to read the answer: what it sends meanwhile would make the kernel
// take the answer back. The error says why the connection is none of ours.
func (l *Listener) turnAway(ctx context.Context, s *socket, c *opening) error {
	done := interrupt(ctx, c.SetDeadline)
	msg, err := newStream(c).readMessage()
	if err == nil {
		err = l.answer(s, msg)
	} else {
		err = fmt.Errorf("%w: %w", psk.ErrNotTLS, err)
	}
	if done() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, errPlain) && s.finish() == nil {
		awaitEnd(ctx, c)
	}
	return err
}

// answer says what OnPlain wants said; its error is never nil.
func (l *Listener) answer(s *socket, msg []byte) error {
	reply := l.cfg.OnPlain(msg)
	if reply == nil {
		return errPlain
	}
	whole, err := padded(reply)
	if err == nil {
		err = s.plain.writeMessage(whole)
	}
	if err != nil {
		return fmt.Errorf("answer a peer without TLS: %w", err)
	}
	return errPlain
}

// awaitEnd reads until the peer closes, within the bounds of an opening.
func awaitEnd(ctx context.Context, c *opening) {
	ctx, cancel := context.WithTimeout(ctx, linger)
	defer cancel()
	done := interrupt(ctx, c.SetReadDeadline)
	defer done()
	_, _ = io.Copy(io.Discard, c) // ends with an error in any case
}
