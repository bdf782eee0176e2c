// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"

	"github.com/weir-lb/weir/registrar/wire"
)

// User is the user's side of one relation with a pool: it outlives the elements
// that serve it one after the other. The zero User is ready. Its methods may be
// called from any goroutine.
type User struct {
	// Card is sent to each element if the user is a pool element too (RFC 5352
	// 3.9); nil: it is none.
	Card *wire.BusinessCard
	// OnCard, if not nil, hears of each business card, in Serve.
	OnCard func(wire.BusinessCard)

	mu     sync.Mutex
	cookie *wire.Cookie       // the latest; nil: none
	card   *wire.BusinessCard // the latest
}

// Channel is a user's channel with one element.
type Channel struct {
	user *User
	channel
}

// Open begins a channel on conn: first, if an element gave a cookie before, with
// its echo (RFC 5352 3.8), then with the user's own card, if it has one.
func (u *User) Open(ctx context.Context, conn net.Conn) (*Channel, error) {
	c := &Channel{u, newChannel(conn)}
	u.mu.Lock()
	cookie := u.cookie
	u.mu.Unlock()
	if cookie != nil {
		if err := c.send(ctx, &wire.CookieEcho{Data: cookie.Data}); err != nil {
			return nil, err
		}
	}
	if u.Card != nil {
		if err := c.send(ctx, u.Card); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Serve takes what the element sends, until the connection ends, which is no
// error, or ctx does. It does not close the connection.
func (c *Channel) Serve(ctx context.Context) error {
	for {
		m, err := c.receive(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		switch m := m.(type) {
		case *wire.Cookie: // an older one is discarded
			c.user.mu.Lock()
			c.user.cookie = m
			c.user.mu.Unlock()
		case *wire.BusinessCard:
			c.user.take(m)
		}
	}
}

func (u *User) take(card *wire.BusinessCard) {
	u.mu.Lock()
	u.card = card
	u.mu.Unlock()
	if u.OnCard != nil {
		u.OnCard(*card)
	}
}

// Cookie is the latest cookie; false if there was none.
func (u *User) Cookie() ([]byte, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.cookie == nil {
		return nil, false
	}
	return slices.Clone(u.cookie.Data), true
}

// Preferred are the elements of a pool to which the latest business card
// recommends to fail over, in its order.
func (u *User) Preferred(pool wire.PoolHandle) []wire.PEID {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.card == nil || u.card.Pool != pool {
		return nil
	}
	ids := make([]wire.PEID, len(u.card.Elements))
	for i, e := range u.card.Elements {
		ids[i] = e.ID
	}
	return ids
}
