// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"cmp"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/enrp"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/transport/psk"
	"github.com/weir-lb/weir/registrar/wire"
)

// Grant is what an identity may do.
type Grant = asap.Grant

// KeepAlive is how elements are probed.
type KeepAlive = asap.KeepAlive

// Gate lets the packets of sessions through. It is called from the event loop, and a fault of it is logged and counted,
// but ends no session: its packets then are a stranger's.
type Gate interface {
	// Admit lets the peers through to local until then; it is called again before that while the session lives.
	Admit(local netip.AddrPort, peers []netip.AddrPort, until time.Time) error
	// Revoke makes the peers of a session that has ended strangers.
	Revoke(local netip.AddrPort, peers []netip.AddrPort) error
}

// Observer learns of every change of a pool: its new snapshot, and the elements that left it with that. A pool that is
// gone has a snapshot without elements. It is called from the event loop, and must not block.
type Observer interface {
	PoolChanged(p *handlespace.Pool, departed []handlespace.Departure)
	// Synchronised says, once, that the handlespace is whole: it has what the other registrars know, or there are none.
	// Before that, what is missing in it says nothing.
	Synchronised()
}

// Listener is where the registrar listens.
type Listener struct {
	Protocol wire.Protocol  // wire.ProtocolTCP, also if it is zero, or wire.ProtocolSCTP
	Addr     netip.AddrPort // port 0 takes any
	More     []netip.Addr   // other addresses of the same endpoint, over SCTP only
	Name     string         // what the operator calls it, for errors
}

// Peer is a registrar that we are told about. Each end of a pair proves an identity of its own to the other, so that no
// key serves both ways.
type Peer struct {
	Server   wire.ServerID  // 0 if unknown; a secured registrar must know it
	Protocol wire.Protocol  // as Listener's
	Addr     netip.AddrPort // where it speaks ENRP
	More     []netip.Addr   // other addresses of it, over SCTP only
	Identity string         // what it proves to us; "" in an unsecured registrar
	As       string         // what we prove to it; likewise
}

// Timers are the protocols' timers and thresholds. One of 0 takes the RFC's default.
type Timers struct {
	PeerHeartbeatCycle time.Duration // RFC 5353 4.2, 30 s
	MaxTimeLastHeard   time.Duration // RFC 5353 4.2, 61 s
	MaxTimeNoResponse  time.Duration // RFC 5353 4.2, 5 s
	MaxBadPEReport     int           // RFC 5352 3.5, 3
	T6Serverannounce   time.Duration // RFC 5352 7.1, 1 s
	MentorHunt         time.Duration // how long a mentor is looked for at the start, 5 s
	TakeoverExpiry     time.Duration // how long the acknowledgements of a takeover may take, 5 s
	AdoptionGrace      time.Duration // how long an element that was taken over may take to show itself, 1 min
}

// Announce is what is said to everybody by multicast, and heard. Nothing that is heard is believed: it says where a
// registrar may be.
type Announce struct {
	Interface string         // "": nothing is announced, and nobody listened to
	ASAP      netip.AddrPort // the group of ASAP_SERVER_ANNOUNCE (RFC 5352 3.6); not valid: none
	ENRP      netip.AddrPort // the group of ENRP_PRESENCE (RFC 5353 3.1); not valid: none
	HopLimit  int            // 1, also if it is 0, is the link alone
}

// Config is what a Registrar works with. Everything must be set but what says otherwise.
type Config struct {
	ASAP []Listener // where pool elements and users speak to us
	ENRP []Listener // where other registrars do; may be empty: then there are none
	// RejectASAP and RejectENRP are listened on only to tell those without TLS that this registrar wants it (threats draft
	// 2.15.3): whatever else comes there is closed at once. May be empty. A secured registrar's other listeners do so too.
	RejectASAP, RejectENRP []Listener

	ServerID wire.ServerID // not 0
	// Unsecured: all sessions are plain, everybody is believed (threats draft 2.15.3: all or nothing).
	Unsecured bool
	Keys      *psk.Keys // nil if Unsecured
	// Certificate is for pool users that prove nothing; nil if there is none.
	Certificate func() *tls.Certificate
	// OldSuite takes their TLS_RSA_WITH_AES_128_CBC_SHA too, for those who have nothing else (RFC 5352 9.2).
	OldSuite bool

	Grants    []Grant       // may be empty: then nobody can enrol with a secured registrar
	Grace     time.Duration // how long an element whose association ended may be away; 0 or more
	KeepAlive KeepAlive
	Peers     []Peer // may be empty
	// LowerWins: of two takeovers of the same registrar that of the lower identifier goes on, as rsplib has it.
	LowerWins bool
	Announce  Announce
	Timers    Timers

	HandshakeTimeout time.Duration // 0: transport's default
	// MaxUnauthenticated bounds the handshakes under way, of each listener; 0: transport's default.
	MaxUnauthenticated int
	// MaxSessions bounds the sessions; 0: 4096. Beyond it, new ones are closed. Of a secured registrar's, those that
	// proved nothing may have half.
	MaxSessions int
	// MaxElements and MaxElementsPerIdentity bound the elements, of all registrars, and those of one identity here; 0: asap's
	// defaults, of an unsecured registrar 4096 of one address.
	MaxElements, MaxElementsPerIdentity int

	Gate     Gate     // nil: nothing is in front of the sockets
	Observer Observer // nil: nobody wants to know
	Log      *slog.Logger
}

// nobody is the Gate of a registrar with nothing in front of its sockets, and the Observer of one that nobody observes.
type nobody struct{}

func (nobody) Admit(netip.AddrPort, []netip.AddrPort, time.Time) error { return nil }
func (nobody) Revoke(netip.AddrPort, []netip.AddrPort) error           { return nil }
func (nobody) PoolChanged(*handlespace.Pool, []handlespace.Departure)  {}
func (nobody) Synchronised()                                           {}

func (c Config) withDefaults() Config {
	c.MaxSessions = cmp.Or(c.MaxSessions, 4096)
	c.Gate = cmp.Or[Gate](c.Gate, nobody{})
	c.Observer = cmp.Or[Observer](c.Observer, nobody{})
	return c
}

func (c Config) validate() error {
	var faults []error
	need := func(ok bool, fault string) {
		if !ok {
			faults = append(faults, errors.New(fault))
		}
	}
	need(len(c.ASAP) > 0, "no address to listen at")
	for _, l := range append(append([]Listener{}, c.ASAP...), c.ENRP...) {
		need(l.Addr.IsValid(), "an address to listen at is not valid")
	}
	for _, l := range c.ENRP {
		need(!l.Addr.Addr().IsUnspecified(), "an ENRP address that others cannot be told")
	}
	need(c.ServerID != 0, "the server identifier must not be 0 (undetermined)")
	need(c.Unsecured != (c.Keys != nil), "either keys or no security at all")
	need(!c.Unsecured || c.Certificate == nil && len(c.RejectASAP)+len(c.RejectENRP) == 0,
		"a certificate or ports to reject plain messages without security")
	need(c.Grace >= 0, "the grace must not be negative")
	need(c.KeepAlive.Interval > 0, "the keep-alive interval must be positive")
	need(c.KeepAlive.Timeout > 0, "the keep-alive timeout must be positive")
	need(len(c.Peers) == 0 || len(c.ENRP) > 0, "peers, but no address to speak ENRP at")
	for _, p := range c.Peers {
		need(p.Addr.IsValid(), "a peer without an address")
		need(c.Unsecured || p.Server != 0 && p.Identity != "" && p.As != "", "a peer without identifier or identities")
	}
	need(c.MaxSessions >= 0 && c.MaxElements >= 0 && c.MaxElementsPerIdentity >= 0, "a limit must not be negative")
	need(c.Log != nil, "no log")
	return errors.Join(faults...)
}

// self is what others are told of where we speak ENRP: over SCTP if we can, as RFC 5353 has it.
func (c Config) self() wire.ServerInfo {
	info := wire.ServerInfo{ID: c.ServerID}
	for _, l := range c.ENRP {
		if info.Transport.Protocol != wire.ProtocolSCTP {
			info.Transport = l.transport()
		}
	}
	return info
}

func (l Listener) transport() wire.Transport { return transportOf(l.Protocol, l.Addr, l.More) }

func (p Peer) transport() wire.Transport { return transportOf(p.Protocol, p.Addr, p.More) }

// transportOf is an endpoint as the protocols have it.
func transportOf(protocol wire.Protocol, at netip.AddrPort, more []netip.Addr) wire.Transport {
	t := wire.Transport{Protocol: wire.ProtocolTCP, Port: at.Port(), Addrs: []netip.Addr{at.Addr()}}
	if protocol == wire.ProtocolSCTP {
		t.Protocol, t.Addrs = wire.ProtocolSCTP, append(t.Addrs, more...)
	}
	return t
}

func (c Config) known() (peers []enrp.Peer) {
	for _, p := range c.Peers {
		peers = append(peers, enrp.Peer{Server: p.Server, Transport: p.transport()})
	}
	return peers
}

func (t Timers) enrp() enrp.Timers {
	return enrp.Timers{
		HeartbeatCycle: t.PeerHeartbeatCycle, LastHeard: t.MaxTimeLastHeard, NoResponse: t.MaxTimeNoResponse,
		MentorHunt: t.MentorHunt, TakeoverExpiry: t.TakeoverExpiry,
	}
}
