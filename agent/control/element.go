// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"net"

	"github.com/weir-lb/weir/registrar/wire"
)

// Element is an element's channel with one user. Its methods may be called from
// any goroutine; Receive by one at a time.
type Element struct{ channel }

// Accept begins a channel on conn with the element's business card (RFC 5352
// 3.9): its pool, and to whom to fail over, in that order.
func Accept(ctx context.Context, conn net.Conn, card wire.BusinessCard) (*Element, error) {
	e := &Element{newChannel(conn)}
	if err := e.SendCard(ctx, card); err != nil {
		return nil, err
	}
	return e, nil
}

// SendCookie gives the user what it is to bring to the next element; it replaces
// an earlier one. A cookie has up to 65,000 bytes, and should be signed: Sign.
func (e *Element) SendCookie(ctx context.Context, data []byte) error {
	return e.send(ctx, &wire.Cookie{Data: data})
}

// SendCard changes what was recommended.
func (e *Element) SendCard(ctx context.Context, card wire.BusinessCard) error {
	return e.send(ctx, &card)
}

// Receive waits for what the user sends: a *wire.CookieEcho, whose cookie some
// element once sent, or so the user says, or a *wire.BusinessCard. The error is
// io.EOF when the user has ended the channel.
func (e *Element) Receive(ctx context.Context) (wire.Message, error) {
	for {
		m, err := e.receive(ctx)
		if err != nil {
			return nil, err
		}
		switch m.(type) {
		case *wire.CookieEcho, *wire.BusinessCard:
			return m, nil
		}
	}
}
