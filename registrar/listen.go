// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"context"

	"github.com/weir-lb/weir/registrar/transport"
)

// sessionListener is *transport.Listener as the loop sees it.
type sessionListener struct{ *transport.Listener }

// Accept is the next authenticated session.
func (l sessionListener) Accept(ctx context.Context) (conn, error) {
	s, err := l.Listener.Accept(ctx)
	if err != nil {
		return nil, err // not a nil *Session in an interface
	}
	return s, nil
}

func listen(cfg Config, t *tally) (listener, error) {
	l, err := transport.Listen(context.Background(), transport.ListenConfig{
		Addr: cfg.Listen, Keys: cfg.Keys, HandshakeTimeout: cfg.HandshakeTimeout,
		MaxUnauthenticated: cfg.MaxUnauthenticated,
		OnRefused: func(r transport.Refusal) {
			t.refuse(r.Reason)
			cfg.Log.Debug("connection refused", "remote", r.Remote, "reason", r.Reason, "error", r.Err)
		},
	})
	if err != nil {
		return nil, err
	}
	return sessionListener{l}, nil
}
