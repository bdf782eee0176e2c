// SPDX-License-Identifier: Apache-2.0

package hunt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/wire"
)

// Registrar is where a registrar listens.
type Registrar struct {
	Host string // a name, as transport.ASCIIName takes it, or an address
	Port uint16
}

// String is host:port, with brackets around an IPv6 address.
func (r Registrar) String() string {
	return net.JoinHostPort(r.Host, strconv.Itoa(int(r.Port)))
}

// inASCII gives all names the form in which they are looked up, and in which
// certificates have them.
func inASCII(all []Registrar) ([]Registrar, error) {
	all = slices.Clone(all)
	for i := range all {
		host, err := transport.ASCIIName(all[i].Host)
		if err != nil {
			return nil, fmt.Errorf("hunt: registrar %w", err)
		}
		all[i].Host = host
	}
	return all, nil
}

// Target is one endpoint where a registrar may be.
type Target struct {
	Host     string // as it was configured; "" if it only announced itself
	Protocol wire.Protocol
	Remote   netip.AddrPort
	More     []netip.Addr // further addresses of the same SCTP endpoint
}

// String is the address and port, with the name that led to it.
func (t Target) String() string {
	if t.Host == "" || t.Host == t.Remote.Addr().String() {
		return t.Remote.String()
	}
	return t.Host + " (" + t.Remote.String() + ")"
}

// Config is what a Hunter works with.
type Config[S io.Closer] struct {
	// Registrars are preferred in this order. There must be one, or Hints.
	Registrars []Registrar
	// Protocol is how registrars are spoken with: TCP or SCTP; zero is TCP.
	Protocol wire.Protocol
	// Dial makes a session, and ends with its context. Required; Dialer makes one.
	Dial func(context.Context, Target) (S, error)
	// Lookup finds the addresses of a name; nil: the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// Hints are the registrars that announced themselves; nil: none.
	Hints *Announcements
	// Rand spreads the waits; nil: a random seed.
	Rand *rand.Rand
	// Log hears of registrars that are passed over; nil: none.
	Log *slog.Logger
}

func (c Config[S]) validate() error {
	switch {
	case c.Dial == nil:
		return errors.New("hunt: nothing to dial with")
	case len(c.Registrars) == 0 && c.Hints == nil:
		return errors.New("hunt: no registrar is configured, and none can announce itself")
	}
	return nil
}

func (c *Config[S]) setDefaults() {
	if c.Protocol == 0 {
		c.Protocol = wire.ProtocolTCP
	}
	if c.Lookup == nil {
		c.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if c.Rand == nil {
		c.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}
