// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/weir-lb/weir/agent/hunt"
	"github.com/weir-lb/weir/registrar/transport/psk"
	"github.com/weir-lb/weir/registrar/wire"
)

// Config is one pool element.
type Config struct {
	Pool   wire.PoolHandle
	ID     wire.PEID      // kept for the life of the process; NewID draws one
	Life   time.Duration  // of a registration: whole seconds, at least 1 s
	User   wire.Transport // where the server serves
	Policy wire.Policy

	Registrars []hunt.Registrar // preferred in this order; there must be one, or Multicast
	Multicast  Multicast        // where registrars announce themselves
	// Protocol is what registrars are spoken with: TCP, also if it is zero, or SCTP.
	Protocol wire.Protocol
	// Local are the addresses to register from, several over SCTP (RFC 5352 3.1 R1); none: those that the server serves.
	Local    []netip.Addr
	Plain    bool      // no TLS; then there is neither Identity nor Keys
	Identity string    // the name that the registrars know this element by
	Keys     *psk.Keys // must hold Identity
	Attempts int       // give up after so many hunts before the first success; 0: never

	Check         func(context.Context) error // asks the server whether it is well; nil: it always is
	CheckInterval time.Duration               // between the starts of two checks, and a check's time limit

	// Load measures the server's load from 0 to 1, for a policy that has one; nil: the load in Policy stays. It is called
	// from one goroutine.
	Load         func(context.Context) (float64, error)
	LoadInterval time.Duration // between the starts of two measurements, and a measurement's time limit

	Drain time.Duration // how long Run stays after the deregistration; may be 0

	Nudge <-chan os.Signal // each one reloads Keys and registers at once; may be nil
	Again <-chan struct{}  // closed to end Run at once, after ctx; may be nil
	Log   *slog.Logger
}

// Multicast is the group of RFC 5352 3.6, to listen to.
type Multicast struct {
	Group     netip.AddrPort // zero: nothing is listened to
	Interface string         // "": the first that can
}

// The ports of ASAP (RFC 5352 8.2), without TLS and with it.
const (
	Port    = 3863
	PortTLS = 3864
)

// port is the one of a registrar that does not say its own.
func (c *Config) port() uint16 {
	if c.Plain {
		return Port
	}
	return PortTLS
}

// announcements are those of c.Multicast; nil if there are none.
func (c *Config) announcements() (*hunt.Announcements, error) {
	if !c.Multicast.Group.IsValid() {
		return nil, nil
	}
	return hunt.Listen(c.Multicast.Group, c.Multicast.Interface, c.port(), c.Log)
}

// NewID draws a PE identifier of good quality (RFC 5352 3.1 R2.2). It is never
// 0, which some registrars refuse.
func NewID() wire.PEID {
	var b [4]byte
	for {
		rand.Read(b[:]) // never fails: the runtime would end the process
		if id := binary.BigEndian.Uint32(b[:]); id != 0 {
			return wire.PEID(id)
		}
	}
}

// sample is the end of a measurement: a load or an error.
type sample struct {
	load float64
	err  error
}

func (c *Config) measure(ctx context.Context) sample {
	load, err := c.Load(ctx)
	return sample{load, err}
}
