// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"context"
	"errors"
	"net/netip"

	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/wire"
)

// asapPPID marks ASAP's messages over SCTP (RFC 5352 8.3).
const asapPPID = 11

// maxVisitors is how many registrars may have come to us and not be our home.
// One comes after a takeover; more than a few are of no good.
const maxVisitors = 8

var errCrowded = errors.New("too many registrars have come")

// listener is where a registrar that took over the element opens an association
// to it. It is the end that the element itself dials from (rsplib expects that),
// and is told in the registration as the ASAP transport (RFC 5354 3.10), which is
// SCTP always. Registrars open it without TLS: with TLS or TCP there is none, and
// the element hunts when its home is lost. A nil listener is none.
type listener struct {
	*transport.Listener
	addrs []netip.Addr
}

func listen(ctx context.Context, cfg *Config) (*listener, error) {
	if !cfg.Plain || cfg.Protocol != wire.ProtocolSCTP {
		return nil, nil
	}
	addrs, err := cfg.locals()
	if err != nil || len(addrs) == 0 {
		return nil, err
	}
	l, err := transport.Listen(ctx, transport.ListenConfig{
		Protocol: wire.ProtocolSCTP,
		Addr:     netip.AddrPortFrom(addrs[0], 0),
		More:     addrs[1:],
		PPID:     asapPPID,
		Plain:    true,
	})
	if err != nil {
		return nil, err
	}
	return &listener{l, addrs}, nil
}

// port is what the element dials from; 0 is any.
func (l *listener) port() uint16 {
	if l == nil {
		return 0
	}
	return l.Addr().Port()
}

// transport is the listener's end for the registration; nil if there is none.
func (l *listener) transport() *wire.Transport {
	if l == nil {
		return nil
	}
	return &wire.Transport{Protocol: wire.ProtocolSCTP, Port: l.port(), Addrs: l.addrs}
}

// accept hands over each session until ctx ends.
func (l *listener) accept(ctx context.Context, visits chan<- *transport.Session) {
	if l == nil {
		return
	}
	for {
		session, err := l.Accept(ctx)
		if err != nil {
			return // the end of ctx: nothing else ends a listener
		}
		select {
		case visits <- session:
		case <-ctx.Done():
			_ = session.Close() // nobody takes it any more
		}
	}
}

func (l *listener) close() error {
	if l == nil {
		return nil
	}
	return l.Close()
}
