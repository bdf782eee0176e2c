// SPDX-License-Identifier: Apache-2.0

package hunt

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/transport/psk"
)

// asapPPID is the payload protocol identifier of ASAP over SCTP (RFC 5352 8.3).
const asapPPID = 11

var errNameless = errors.New("it has only announced itself, and no server name is configured that its certificate must be for")

// Dialer is a Dial that makes sessions as cfg says, but for the target's
// addresses and protocol. With neither Keys nor Plain, registrars prove
// themselves by certificates: each for the name or address that is configured
// for it (RFC 5352 9.2, the reference identity), all for ServerName if there is
// one. One that only announced itself needs a ServerName: an address that
// anybody may have announced is no identity. local chooses the addresses to
// come from, as transport's Local; it may be nil.
func Dialer(cfg transport.DialConfig, local func(remote netip.Addr) []netip.Addr) func(context.Context, Target) (*transport.Session, error) {
	cfg.PPID = cmp.Or(cfg.PPID, asapPPID)
	return func(ctx context.Context, t Target) (*transport.Session, error) {
		cfg := cfg
		cfg.Protocol, cfg.Remote, cfg.More = t.Protocol, t.Remote, t.More
		if cfg.Keys == nil && !cfg.Plain {
			if cfg.ServerName = cmp.Or(cfg.ServerName, t.Host); cfg.ServerName == "" {
				return nil, errNameless
			}
		}
		if local != nil {
			cfg.Local = local(t.Remote.Addr())
		}
		cfg.HandshakeTimeout = retranMax // T5 comes first
		session, err := transport.Dial(ctx, cfg)
		return session, explain(err, cfg.Identity)
	}
}

// explain puts the usual reason before OpenSSL's word for a refused handshake,
// which names an alert and nothing that an operator could look up, and says of
// a certificate what RFC 5352 9.2 asks to be said.
func explain(err error, identity string) error {
	var key *psk.Error
	var alert *net.OpError
	switch {
	case errors.As(err, &alert) && alert.Op == "remote error": // as crypto/tls says it
		return fmt.Errorf("the registrar shows no certificate, and may want a pre-shared key: %w", err)
	case suspect(err):
		return fmt.Errorf("the registrar's identity is suspect: %w", err)
	case errors.As(err, &key):
		return fmt.Errorf("the registrar has no identity %q or another key for it, compare both key files: %w", identity, err)
	}
	return err
}

// suspect: has somebody shown a certificate that is not the registrar's?
func suspect(err error) bool {
	var certificate *tls.CertificateVerificationError
	return errors.As(err, &certificate)
}
