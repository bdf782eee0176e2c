// SPDX-License-Identifier: Apache-2.0

package config

import (
	"net/netip"
	"path/filepath"
	"time"

	"github.com/weir-lb/weir/registrar"
	"github.com/weir-lb/weir/registrar/wire"
)

// Registrar is the registrar section: where it listens, and who may enrol.
type Registrar struct {
	Listen             netip.AddrPort
	ServerID           wire.ServerID // 0: to be drawn at random
	KeyFile            string        // as psk.LoadKeys reads it
	Grace              time.Duration // how long a lost element may take to come back, 0-1h
	KeepAlive          registrar.KeepAlive
	HandshakeTimeout   time.Duration     // 100ms-1m
	MaxUnauthenticated int               // handshakes under way at most, 1-65536
	MaxSessions        int               // sessions at most, 1-1000000
	Grants             []registrar.Grant // without addresses: only those that the session comes from
}

// DefaultRegistrar lacks only what has no sensible default: addresses, keys and grants.
func DefaultRegistrar() Registrar {
	return Registrar{
		Grace:              2 * time.Second,
		KeepAlive:          registrar.KeepAlive{Interval: time.Second, Timeout: time.Second},
		HandshakeTimeout:   5 * time.Second,
		MaxUnauthenticated: 256,
		MaxSessions:        100_000,
	}
}

// Locate makes relative file names relative to the folder of the configuration file.
func (r *Registrar) Locate(file string) {
	if !filepath.IsAbs(r.KeyFile) {
		r.KeyFile = filepath.Join(filepath.Dir(file), r.KeyFile)
	}
}
