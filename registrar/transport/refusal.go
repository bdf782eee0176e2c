// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"errors"
	"net/netip"

	"github.com/weir-lb/weir/registrar/transport/psk"
)

// The reasons of a Refusal. They are labels of metrics, and do not change.
const (
	// ReasonHandshake: wrong key, unknown identity, no TLS, TLS where there is none,
	// or the peer left.
	ReasonHandshake = "handshake"
	// ReasonTimeout: the handshake took longer than HandshakeTimeout.
	ReasonTimeout = "timeout"
	// ReasonTooMany: it gave its place to a newer connection, or nobody accepted
	// the finished sessions.
	ReasonTooMany = "too_many"
	// ReasonOwnIdentity: the peer claims to be this end itself.
	ReasonOwnIdentity = "own_identity"
	// ReasonPlain: it spoke without TLS, and has had its answer of OnPlain.
	ReasonPlain = "plain"
	// ReasonAccept: the system had no connection to give, most likely no file
	// descriptor. Remote is not valid then.
	ReasonAccept = "accept"
)

// Refusal is a connection that did not become a session. What a peer claims to
// be stands in Err, quoted, and is not proven.
type Refusal struct {
	Remote netip.AddrPort
	Reason string
	Err    error
}

var (
	errTooMany = errors.New("too many connections that have not proved an identity")
	errPlain   = errors.New("the peer speaks without TLS")
	errTLS     = errors.New("the peer speaks TLS at a port that has none")
	errBacklog = errors.New("too many sessions that wait to be accepted")
)

// reason of a handshake that ended with err.
func reason(err error) string {
	switch {
	case errors.Is(err, errTooMany), errors.Is(err, errBacklog):
		return ReasonTooMany
	case errors.Is(err, context.DeadlineExceeded):
		return ReasonTimeout
	case errors.Is(err, errPlain):
		return ReasonPlain
	case errors.Is(err, psk.ErrOwnIdentity):
		return ReasonOwnIdentity
	}
	return ReasonHandshake
}
