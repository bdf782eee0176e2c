// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/enrp"
	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/wire"
)

// language is what a session's messages are of. ASAP's and ENRP's look alike: only where a session began tells which.
type language uint8

const (
	speaksASAP language = iota
	speaksENRP
)

// String gives "ASAP" or "ENRP".
func (l language) String() string {
	if l == speaksENRP {
		return "ENRP"
	}
	return "ASAP"
}

// The payload protocol identifiers of IANA's registry (RFC 5352 8.3, RFC 5353 5.4).
const (
	ppidASAP = 11
	ppidENRP = 12
)

func (l language) ppid() uint32 {
	if l == speaksENRP {
		return ppidENRP
	}
	return ppidASAP
}

// rejectPlain answers a message that came without TLS where TLS is needed.
func (l language) rejectPlain(self wire.ServerID) func([]byte) []byte {
	if l == speaksENRP {
		return func(first []byte) []byte { return enrp.RejectPlain(self, first) }
	}
	return asap.RejectPlain
}

// ListenError says which of the listeners could not listen.
type ListenError struct {
	Listener Listener
	Err      error
}

func (e *ListenError) Error() string { return fmt.Sprintf("listen at %v: %v", e.Listener.Addr, e.Err) }
func (e *ListenError) Unwrap() error { return e.Err }

// listening is a listener, and what those who come there speak.
type listening struct {
	listener
	speaks language
}

// sessionListener is *transport.Listener as the loop sees it.
type sessionListener struct{ *transport.Listener }

// Accept is the next session.
func (l sessionListener) Accept(ctx context.Context) (conn, error) {
	s, err := l.Listener.Accept(ctx)
	if err != nil {
		return nil, err // not a nil *Session in an interface
	}
	return s, nil
}

// listenAll opens all listeners, and notes in cfg the ports that they got.
func listenAll(cfg *Config, t *tally) (all []listening, err error) {
	for _, group := range []struct {
		listeners []Listener
		speaks    language
		rejects   bool
	}{
		{cfg.ASAP, speaksASAP, false}, {cfg.ENRP, speaksENRP, false},
		{cfg.RejectASAP, speaksASAP, true}, {cfg.RejectENRP, speaksENRP, true},
	} {
		for i := range group.listeners {
			at := &group.listeners[i]
			l, err := listen(cfg, *at, group.speaks, group.rejects, t)
			if err != nil {
				return nil, errors.Join(&ListenError{*at, err}, closeAll(all))
			}
			at.Addr = l.Addr()
			all = append(all, listening{sessionListener{l}, group.speaks})
		}
	}
	return all, nil
}

// listen opens one listener. One that only rejects has no keys: nobody gets a session there, with TLS or without.
func listen(cfg *Config, at Listener, speaks language, rejects bool, t *tally) (*transport.Listener, error) {
	lc := transport.ListenConfig{
		Protocol: at.Protocol, Addr: at.Addr, More: at.More, PPID: speaks.ppid(), Plain: cfg.Unsecured,
		HandshakeTimeout: cfg.HandshakeTimeout, MaxUnauthenticated: cfg.MaxUnauthenticated,
		OnRefused: func(r transport.Refusal) {
			t.refuse(r.Reason)
			cfg.Log.Debug("connection refused", "remote", r.Remote, "reason", r.Reason, "error", r.Err)
		},
	}
	if !cfg.Unsecured {
		lc.OnPlain = speaks.rejectPlain(cfg.ServerID)
	}
	if !cfg.Unsecured && !rejects {
		lc.Keys = cfg.Keys
		if speaks == speaksASAP {
			lc.Certificate, lc.OldSuite = cfg.Certificate, cfg.OldSuite
		}
	}
	return transport.Listen(context.Background(), lc)
}

func closeAll(all []listening) error {
	var errs []error
	for _, l := range all {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// addrs are where those who speak a language find us.
func addrs(listeners []Listener) (all []netip.AddrPort) {
	for _, l := range listeners {
		all = append(all, l.Addr)
	}
	return all
}

// announced are the transports of ASAP_SERVER_ANNOUNCE: every place where ASAP is spoken, but for those that could be
// anywhere.
func announced(listeners []Listener) (all []wire.Transport) {
	for _, l := range listeners {
		if !l.Addr.Addr().IsUnspecified() {
			all = append(all, l.transport())
		}
	}
	return all
}
