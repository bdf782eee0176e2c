// SPDX-License-Identifier: Apache-2.0

package psk

import (
	"errors"
	"fmt"
)

// Version is a version of TLS, as on the wire.
type Version uint16

// The versions that this package speaks.
const (
	TLS12 Version = 0x0303
	TLS13 Version = 0x0304
)

func (v Version) String() string {
	switch v {
	case TLS12:
		return "TLS 1.2"
	case TLS13:
		return "TLS 1.3"
	}
	return fmt.Sprintf("0x%04x", uint16(v))
}

// Config is what a connection needs.
type Config struct {
	// Keys holds the keys of this end. Required.
	Keys *Keys
	// Identity is, for a client, the identity that it proves: Keys must hold a
	// key for it. For a server it is its own identity, if it has one as a client
	// elsewhere: a peer that claims it is refused (RFC 9257 4.1, Selfie).
	Identity string
	// MinVersion and MaxVersion bound the version; zero means TLS 1.2 and TLS 1.3.
	MinVersion, MaxVersion Version
}

// Errors that a caller tells apart.
var (
	// ErrOwnIdentity: the peer claims to be this end itself.
	ErrOwnIdentity = errors.New("the peer claims this end's own identity")
	// ErrNotTLS: the peer's first byte does not begin a TLS handshake.
	ErrNotTLS = errors.New("the peer does not speak TLS")
)

func (c Config) validate(server bool) error {
	switch {
	case c.Keys == nil:
		return errors.New("there are no keys")
	case c.Identity == "" && !server:
		return errors.New("a client needs an identity")
	case !server && !c.Keys.Has(c.Identity):
		return fmt.Errorf("key file %s has no key for the identity %q", c.Keys.path, c.Identity)
	}
	for _, v := range []Version{c.MinVersion, c.MaxVersion} {
		if v != 0 && v != TLS12 && v != TLS13 {
			return fmt.Errorf("%v is no version of TLS that can be used here", v)
		}
	}
	if c.Identity != "" {
		if err := checkIdentity([]byte(c.Identity)); err != nil {
			return fmt.Errorf("identity %q: %w", c.Identity, err)
		}
	}
	return nil
}
