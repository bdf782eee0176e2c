// SPDX-License-Identifier: Apache-2.0

package pu

import (
	"context"
	"testing"

	"github.com/weir-lb/weir/registrar"
	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/wire"
	"github.com/weir-lb/weir/test/require"
)

// RFC 5352 3.3 NR3: a pool user may speak TCP or SCTP.
func TestOverEachProtocol(t *testing.T) {
	for _, protocol := range []wire.Protocol{wire.ProtocolTCP, wire.ProtocolSCTP} {
		t.Run(protocol.String(), func(t *testing.T) {
			if protocol == wire.ProtocolSCTP {
				require.Need(t, require.SCTP)
			}
			over := func(c *registrar.Config) { c.ASAP[0].Protocol = protocol }
			own, roots := certificate(t)
			secured := serve(t, func(c *registrar.Config) { over(c); own(c) })
			unsecured := serve(t, func(c *registrar.Config) { over(c); c.Unsecured, c.Keys, c.Grants = true, nil, nil })
			const ppid = 11
			enrolBy(t, transport.DialConfig{Protocol: protocol, PPID: ppid, Remote: secured.Addr(),
				Identity: "pe-1", Keys: keys(t, "pe-1:"+firstKey)}, element(1, wire.RoundRobin()))
			enrolBy(t, transport.DialConfig{Protocol: protocol, PPID: ppid, Remote: unsecured.Addr(), Plain: true}, element(2, wire.RoundRobin()))
			for _, kind := range []struct {
				name string
				at   *registrar.Registrar
				how  transport.DialConfig
				want wire.PEID
			}{
				{"key", secured, transport.DialConfig{Identity: "pu-1", Keys: keys(t, "pu-1:"+goodKey)}, 1},
				{"certificate", secured, transport.DialConfig{Roots: roots}, 1},
				{"plain", unsecured, transport.DialConfig{Plain: true}, 2},
			} {
				t.Run(kind.name, func(t *testing.T) {
					u := user(t, func(c *Config) { by(kind.how)(c); c.Protocol = protocol }, kind.at.Addr())
					wantElement(t, u, kind.want)
					ctx, cancel := context.WithTimeout(t.Context(), wait)
					defer cancel()
					for p, err := range u.Watch(ctx, "web") {
						if err != nil || len(p.Elements) != 1 {
							t.Errorf("saw %+v, error %v", p, err)
						}
						break
					}
				})
			}
		})
	}
}
