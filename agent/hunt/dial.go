// SPDX-License-Identifier: Apache-2.0

package hunt

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/transport/psk"
)

// Dialer is a Dial that makes sessions as cfg says, but for the target's
// address. local chooses the addresses to come from, as transport's Local; it may
// be nil.
func Dialer(cfg transport.DialConfig, local func(remote netip.Addr) []netip.Addr) func(context.Context, Target) (*transport.Session, error) {
	return func(ctx context.Context, t Target) (*transport.Session, error) {
		cfg := cfg
		cfg.Remote = t.Remote
		if local != nil {
			cfg.Local = local(t.Remote.Addr())
		}
		cfg.HandshakeTimeout = retranMax // T5 comes first
		session, err := transport.Dial(ctx, cfg)
		return session, explain(err, cfg.Identity)
	}
}

// explain puts the usual reason before OpenSSL's word for a refused handshake,
// which names an alert and nothing that an operator could look up.
func explain(err error, identity string) error {
	var tls *psk.Error
	if !errors.As(err, &tls) {
		return err
	}
	return fmt.Errorf("the registrar has no identity %q or another key for it, compare both key files: %w", identity, err)
}
