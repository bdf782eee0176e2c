// SPDX-License-Identifier: Apache-2.0

package config

import (
	"math"
	"net/netip"
	"time"

	"github.com/weir-lb/weir/registrar"
	"github.com/weir-lb/weir/registrar/wire"
)

// Registrar reads a registrar section.
func (d *Decoder) Registrar(r *Registrar) Parser {
	return d.Object(map[string]Parser{
		"listen":               d.AddrPort(&r.Listen),
		"asap":                 List(d, &r.ASAP, d.listener),
		"enrp":                 List(d, &r.ENRP, d.listener),
		"server_id":            Number(d, &r.ServerID, 1, math.MaxUint32),
		"key_file":             d.Text(&r.KeyFile),
		"certificate_file":     d.Text(&r.CertificateFile),
		"certificate_key_file": d.Text(&r.CertificateKeyFile),
		"old_suite":            d.Bool(&r.OldSuite),
		"unsecured":            d.Bool(&r.Unsecured),
		"reject_plain":         d.Bool(&r.RejectPlain),
		"grace":                d.Duration(&r.Grace, 0, time.Hour),
		"keep_alive":           d.keepAlive(&r.KeepAlive),
		"handshake_timeout":    d.Duration(&r.HandshakeTimeout, 100*time.Millisecond, time.Minute),
		"max_unauthenticated":  Number(d, &r.MaxUnauthenticated, 1, 65_536),
		"max_sessions":         Number(d, &r.MaxSessions, 1, 1_000_000),
		"max_elements":         Number(d, &r.MaxElements, 1, 10_000_000),
		"max_per_identity":     Number(d, &r.MaxPerIdentity, 1, 1_000_000),
		"grants":               List(d, &r.Grants, d.grant),
		"peers":                List(d, &r.Peers, d.peer),
		"lower_id_takes_over":  d.Bool(&r.LowerWins),
		"announce":             d.announce(&r.Announce),
		"timers":               d.timers(&r.Timers),
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

func (d *Decoder) listener(l *registrar.Listener) Parser {
	l.Protocol = wire.ProtocolTCP
	return d.Object(map[string]Parser{
		"protocol": d.protocol(&l.Protocol),
		"address":  Scalar(d, &l.Addr, parseAddrMayPort),
		"more":     List(d, &l.More, d.addr),
	})
}

func (d *Decoder) peer(p *registrar.Peer) Parser {
	p.Protocol = wire.ProtocolTCP
	return d.Object(map[string]Parser{
		"server_id": Number(d, &p.Server, 1, math.MaxUint32),
		"protocol":  d.protocol(&p.Protocol),
		"address":   Scalar(d, &p.Addr, parseAddrMayPort),
		"more":      List(d, &p.More, d.addr),
		"identity":  d.Text(&p.Identity),
		"as":        d.Text(&p.As),
	})
}

func (d *Decoder) announce(a *registrar.Announce) Parser {
	off := func(group *netip.AddrPort) func() { return func() { *group = netip.AddrPort{} } }
	return d.Object(map[string]Parser{
		"interface": d.Text(&a.Interface),
		"asap":      d.Optional(d.AddrPort(&a.ASAP), off(&a.ASAP)),
		"enrp":      d.Optional(d.AddrPort(&a.ENRP), off(&a.ENRP)),
		"ttl":       Number(d, &a.HopLimit, 1, 255),
	})
}

// timers have the names of RFC 5352 and RFC 5353, and the last ones names of their own.
func (d *Decoder) timers(t *registrar.Timers) Parser {
	duration := func(out *time.Duration) Parser { return d.Duration(out, 10*time.Millisecond, time.Hour) }
	return d.Object(map[string]Parser{
		"peer_heartbeat_cycle": duration(&t.PeerHeartbeatCycle),
		"max_time_last_heard":  duration(&t.MaxTimeLastHeard),
		"max_time_no_response": duration(&t.MaxTimeNoResponse),
		"max_bad_pe_report":    Number(d, &t.MaxBadPEReport, 1, 1000),
		"t6_serverannounce":    duration(&t.T6Serverannounce),
		"mentor_hunt":          duration(&t.MentorHunt),
		"takeover_expiry":      duration(&t.TakeoverExpiry),
		"adoption_grace":       duration(&t.AdoptionGrace),
	})
}

func (d *Decoder) protocol(out *wire.Protocol) Parser {
	return OneOf(d, out, "a protocol that registrars speak", wire.ProtocolTCP, wire.ProtocolSCTP)
}

func (d *Decoder) addr(out *netip.Addr) Parser { return Scalar(d, out, parseAddr) }
