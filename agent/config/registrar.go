// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"github.com/weir-lb/weir/registrar"
	"github.com/weir-lb/weir/registrar/enrp"
	"github.com/weir-lb/weir/registrar/wire"
)

// Registrar is the registrar section: where it listens, who may enrol, and which other registrars there are.
type Registrar struct {
	Listen             netip.AddrPort       // the short form of a single ASAP listener over TCP; Complete moves it to ASAP
	ASAP               []registrar.Listener // for pool elements and users
	ENRP               []registrar.Listener // for other registrars
	ServerID           wire.ServerID        // 0: to be drawn at random
	KeyFile            string               // as psk.LoadKeys reads it
	CertificateFile    string               // PEM, for pool users; "": none
	CertificateKeyFile string               // PEM
	OldSuite           bool                 // TLS_RSA_WITH_AES_128_CBC_SHA is good enough for pool users
	Unsecured          bool                 // no TLS at all
	RejectPlain        bool                 // listen at the ports of those without TLS, to tell them that there is some
	Grace              time.Duration        // how long a lost element may take to come back, 0-1h
	KeepAlive          registrar.KeepAlive
	HandshakeTimeout   time.Duration     // 100ms-1m
	MaxUnauthenticated int               // handshakes under way at most, 1-65536
	MaxSessions        int               // sessions at most, 1-1000000
	MaxElements        int               // elements in all pools at most, 1-10000000; 0: the registrar's default
	MaxPerIdentity     int               // elements of one identity at most, 1-1000000; 0: likewise
	Grants             []registrar.Grant // without addresses: only those that the session comes from
	Peers              []registrar.Peer
	LowerWins          bool // as rsplib decides who takes over
	Announce           registrar.Announce
	Timers             registrar.Timers
}

// IANA's ports (RFC 5352 8.2, RFC 5353 5.3), and for ENRP over TLS and TCP the number that ENRP over TLS and SCTP has.
const (
	portASAP    = 3863
	portASAPTLS = 3864
	portENRP    = 9901
	portENRPTLS = 9902
)

// group is IANA's multicast group of ASAP (RFC 5352 8.4). RFC 5353 names none for ENRP; its port tells them apart.
var group = netip.AddrFrom4([4]byte{224, 0, 1, 185})

// DefaultRegistrar lacks only what has no sensible default: addresses, keys and grants.
func DefaultRegistrar() Registrar {
	return Registrar{
		Grace:              2 * time.Second,
		KeepAlive:          registrar.KeepAlive{Interval: time.Second, Timeout: time.Second},
		HandshakeTimeout:   5 * time.Second,
		MaxUnauthenticated: 256,
		MaxSessions:        100_000,
		Announce: registrar.Announce{
			ASAP: netip.AddrPortFrom(group, portASAP), ENRP: netip.AddrPortFrom(group, portENRP), HopLimit: 1,
		},
		Timers: registrar.Timers{
			PeerHeartbeatCycle: 30 * time.Second,
			MaxTimeLastHeard:   61 * time.Second,
			MaxTimeNoResponse:  5 * time.Second,
			MaxBadPEReport:     3,
			T6Serverannounce:   time.Second,
			MentorHunt:         5 * time.Second,
			TakeoverExpiry:     5 * time.Second,
			AdoptionGrace:      time.Minute,
		},
	}
}

// Locate makes relative file names relative to the folder of the configuration file.
func (r *Registrar) Locate(file string) {
	for _, name := range []*string{&r.KeyFile, &r.CertificateFile, &r.CertificateKeyFile} {
		if *name != "" && !filepath.IsAbs(*name) {
			*name = filepath.Join(filepath.Dir(file), *name)
		}
	}
}

// Complete fills in what follows from something else: the short form of a listener, names, ports.
func (r *Registrar) Complete() {
	for _, group := range []struct {
		listeners []registrar.Listener
		name      string
		port      uint16
	}{{r.ASAP, "asap", r.port(portASAP, portASAPTLS)}, {r.ENRP, "enrp", r.port(portENRP, portENRPTLS)}} {
		for i := range group.listeners {
			l := &group.listeners[i]
			l.Name = fmt.Sprintf("registrar.%s[%d].address", group.name, i)
			withPort(&l.Addr, group.port)
		}
	}
	if r.Listen.IsValid() && len(r.ASAP) == 0 {
		r.ASAP = []registrar.Listener{{Protocol: wire.ProtocolTCP, Addr: r.Listen, Name: "registrar.listen"}}
	}
	for i := range r.Peers {
		withPort(&r.Peers[i].Addr, r.port(portENRP, portENRPTLS))
	}
}

func (r *Registrar) port(plain, secured uint16) uint16 {
	if r.Unsecured {
		return plain
	}
	return secured
}

func withPort(a *netip.AddrPort, port uint16) {
	if a.IsValid() && a.Port() == 0 {
		*a = netip.AddrPortFrom(a.Addr(), port)
	}
}

// Identify draws an identifier if the configuration has none.
func (r *Registrar) Identify() {
	if r.ServerID == 0 {
		r.ServerID = enrp.NewServerID(rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
	}
}

// Build is the registrar's own configuration, but for gate, observer and log.
func (r *Registrar) Build(c *Credentials) registrar.Config {
	cfg := registrar.Config{
		ASAP: r.ASAP, ENRP: r.ENRP, ServerID: r.ServerID, Unsecured: r.Unsecured, Keys: c.Keys,
		Certificate: c.Certificate(), OldSuite: r.OldSuite, Grants: r.Grants, Grace: r.Grace, KeepAlive: r.KeepAlive,
		Peers: r.Peers, LowerWins: r.LowerWins,
		Announce: r.Announce, Timers: r.Timers, HandshakeTimeout: r.HandshakeTimeout,
		MaxUnauthenticated: r.MaxUnauthenticated, MaxSessions: r.MaxSessions, MaxElements: r.MaxElements,
		MaxElementsPerIdentity: r.MaxPerIdentity,
	}
	if r.RejectPlain {
		cfg.RejectASAP, cfg.RejectENRP = moved(r.ASAP, portASAP), moved(r.ENRP, portENRP)
	}
	return cfg
}

// moved are the listeners at another port.
func moved(listeners []registrar.Listener, port uint16) []registrar.Listener {
	var all []registrar.Listener
	for _, l := range listeners {
		l.Addr, l.Name = netip.AddrPortFrom(l.Addr.Addr(), port), "registrar.reject_plain"
		all = append(all, l)
	}
	return all
}

// NeedsRestart names the settings that differ in next and that a running registrar keeps.
func (r *Registrar) NeedsRestart(next Registrar) (names []string) {
	for name, same := range map[string]bool{
		"listen":              r.Listen == next.Listen,
		"asap":                r.Listen != next.Listen || reflect.DeepEqual(r.ASAP, next.ASAP),
		"enrp":                reflect.DeepEqual(r.ENRP, next.ENRP),
		"server_id":           next.ServerID == 0 || r.ServerID == next.ServerID,
		"key_file":            r.KeyFile == next.KeyFile,
		"certificate_file":    r.CertificateFile == next.CertificateFile && r.CertificateKeyFile == next.CertificateKeyFile,
		"old_suite":           r.OldSuite == next.OldSuite,
		"unsecured":           r.Unsecured == next.Unsecured,
		"reject_plain":        r.RejectPlain == next.RejectPlain,
		"grace":               r.Grace == next.Grace,
		"keep_alive":          r.KeepAlive == next.KeepAlive,
		"max_unauthenticated": r.MaxUnauthenticated == next.MaxUnauthenticated,
		"max_sessions":        r.MaxSessions == next.MaxSessions,
		"max_elements":        r.MaxElements == next.MaxElements,
		"max_per_identity":    r.MaxPerIdentity == next.MaxPerIdentity,
		"peers":               reflect.DeepEqual(r.Peers, next.Peers),
		"lower_id_takes_over": r.LowerWins == next.LowerWins,
		"announce":            r.Announce == next.Announce,
		"timers":              r.Timers == next.Timers,
	} {
		if !same {
			names = append(names, "registrar."+name)
		}
	}
	slices.Sort(names)
	return names
}
