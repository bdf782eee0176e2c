// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"math"
	"net/netip"
	"time"

	"github.com/weir-lb/weir/registrar"
	"github.com/weir-lb/weir/registrar/wire"
)

// decodeConfig reads text over the defaults and checks everything that needs no
// look at the machine.
func decodeConfig(text []byte) (Config, *faultList) {
	cfg := DefaultConfig()
	d := &decoder{faults: faultList{lines: map[string]int{}}}
	d.decodeDocument(text, d.config(&cfg))
	d.faults.addAll(cfg.check())
	return cfg, &d.faults
}

func (d *decoder) config(c *Config) parser {
	return d.object(map[string]parser{
		"registrar":  d.registrar(&c.Registrar),
		"interfaces": list(d, &c.Interfaces, d.name),
		"services":   list(d, &c.Services, d.service),
		"guard":      d.guard(&c.Guard),
		"flows":      d.flows(&c.Flows),
		"recovery":   d.duration(&c.Recovery, 0, 10*time.Minute),
		"bpf":        d.path(&c.BPF, math.MaxInt),
		"metrics":    d.optional(scalar(d, &c.Metrics, parseAddrPort), func() { c.Metrics = netip.AddrPort{} }),
		"control":    d.path(&c.Control, maxSocketPath),
		"log_level":  scalar(d, &c.LogLevel, parseLevel),
	})
}

func (d *decoder) registrar(r *RegistrarConfig) parser {
	return d.object(map[string]parser{
		"listen":              scalar(d, &r.Listen, parseAddrPort),
		"server_id":           number(d, &r.ServerID, 1, math.MaxUint32),
		"key_file":            d.name(&r.KeyFile),
		"grace":               d.duration(&r.Grace, 0, time.Hour),
		"keep_alive":          d.keepAlive(&r.KeepAlive),
		"handshake_timeout":   d.duration(&r.HandshakeTimeout, 100*time.Millisecond, time.Minute),
		"max_unauthenticated": number(d, &r.MaxUnauthenticated, 1, 65_536),
		"max_sessions":        number(d, &r.MaxSessions, 1, 1_000_000),
		"grants":              list(d, &r.Grants, d.grant),
	})
}

func (d *decoder) keepAlive(k *registrar.KeepAlive) parser {
	return d.object(map[string]parser{
		"interval": d.duration(&k.Interval, 100*time.Millisecond, time.Hour),
		"timeout":  d.duration(&k.Timeout, 100*time.Millisecond, time.Hour),
	})
}

func (d *decoder) grant(g *registrar.Grant) parser {
	return d.object(map[string]parser{
		"identity":  d.name(&g.Identity),
		"pools":     list(d, &g.Pools, d.pool),
		"addresses": list(d, &g.Addresses, d.prefix),
	})
}

func (d *decoder) service(s *ServiceConfig) parser {
	return d.object(map[string]parser{
		"vip":      scalar(d, &s.VIP, parseVIP),
		"port":     number(d, &s.Port, 1, math.MaxUint16),
		"protocol": scalar(d, &s.Protocol, parseProtocol),
		"pool":     d.pool(&s.Pool),
	})
}

func (d *decoder) guard(g *GuardConfig) parser {
	return d.object(map[string]parser{
		"newcomers_per_second":  number(d, &g.NewcomersPerSecond, 1, 10_000_000),
		"per_source_per_second": number(d, &g.PerSourcePerSecond, 1, 10_000_000),
		"challenges_per_second": number(d, &g.ChallengesPerSecond, 1, 100_000_000),
		"packets_per_handshake": number(d, &g.PacketsPerHandshake, 8, math.MaxUint16),
	})
}

func (d *decoder) flows(f *FlowsConfig) parser {
	return d.object(map[string]parser{
		"max":      number(d, &f.Max, 1024, 1<<26),
		"tcp_idle": d.duration(&f.TCPIdle, time.Second, 24*time.Hour),
		"udp_idle": d.duration(&f.UDPIdle, time.Second, 24*time.Hour),
		"closing":  d.duration(&f.Closing, time.Second, 10*time.Minute),
	})
}

func (d *decoder) name(out *string) parser            { return scalar(d, out, parseText) }
func (d *decoder) prefix(out *netip.Prefix) parser    { return scalar(d, out, parsePrefix) }
func (d *decoder) pool(out *wire.PoolHandle) parser   { return scalar(d, out, parsePool) }
func (d *decoder) path(out *string, limit int) parser { return scalar(d, out, parsePath(limit)) }

func (d *decoder) duration(out *time.Duration, least, most time.Duration) parser {
	return scalar(d, out, parseDuration(least, most))
}
