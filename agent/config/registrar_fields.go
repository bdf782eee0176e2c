// SPDX-License-Identifier: Apache-2.0

package config

import (
	"math"
	"time"

	"github.com/weir-lb/weir/registrar"
)

// Registrar reads a registrar section.
func (d *Decoder) Registrar(r *Registrar) Parser {
	return d.Object(map[string]Parser{
		"listen":              d.AddrPort(&r.Listen),
		"server_id":           Number(d, &r.ServerID, 1, math.MaxUint32),
		"key_file":            d.Text(&r.KeyFile),
		"grace":               d.Duration(&r.Grace, 0, time.Hour),
		"keep_alive":          d.keepAlive(&r.KeepAlive),
		"handshake_timeout":   d.Duration(&r.HandshakeTimeout, 100*time.Millisecond, time.Minute),
		"max_unauthenticated": Number(d, &r.MaxUnauthenticated, 1, 65_536),
		"max_sessions":        Number(d, &r.MaxSessions, 1, 1_000_000),
		"grants":              List(d, &r.Grants, d.grant),
	})
}

func (d *Decoder) keepAlive(k *registrar.KeepAlive) Parser {
	return d.Object(map[string]Parser{
		"interval": d.Duration(&k.Interval, 100*time.Millisecond, time.Hour),
		"timeout":  d.Duration(&k.Timeout, 100*time.Millisecond, time.Hour),
	})
}

func (d *Decoder) grant(g *registrar.Grant) Parser {
	return d.Object(map[string]Parser{
		"identity":  d.Text(&g.Identity),
		"pools":     List(d, &g.Pools, d.Pool),
		"addresses": List(d, &g.Addresses, d.Prefix),
	})
}
