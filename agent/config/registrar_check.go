// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/weir-lb/weir/registrar"
	"github.com/weir-lb/weir/registrar/wire"
)

// checker gathers what is wrong with a registrar section.
type checker []Fault

// need notes a fault unless have.
func (c *checker) need(have bool, path, format string, args ...any) {
	if !have {
		*c = append(*c, Faultf("registrar."+path, format, args...))
	}
}

// Check finds what is missing and what contradicts something else in the section at path registrar, which is complete;
// single values were checked as they were read.
func (r *Registrar) Check() []Fault {
	var c checker
	c.need(len(r.ASAP) > 0, "listen", "is missing: the address and port where pool elements enrol")
	c.need(!r.Listen.IsValid() || r.ASAP[0].Name == "registrar.listen", "listen", "is the short form of asap; give one of them")
	r.checkListeners(&c, "asap", r.ASAP)
	r.checkListeners(&c, "enrp", r.ENRP)
	if r.Unsecured {
		r.checkUnsecured(&c)
	} else {
		r.checkSecured(&c)
	}
	for i, g := range r.Grants {
		c.need(g.Identity != "", fmt.Sprintf("grants[%d].identity", i), "is missing")
		c.need(len(g.Pools) > 0, fmt.Sprintf("grants[%d].pools", i), "is missing: the pools that this identity may serve")
	}
	r.checkPeers(&c)
	r.checkAnnounce(&c)
	t := r.Timers
	c.need(t.MaxTimeLastHeard > t.PeerHeartbeatCycle, "timers.max_time_last_heard",
		"%s is not longer than peer_heartbeat_cycle, %s: every registrar would be doubted between its heartbeats",
		brief(t.MaxTimeLastHeard), brief(t.PeerHeartbeatCycle))
	return append(append(c, r.repeatedGrants()...), r.repeatedPlaces()...)
}

func (r *Registrar) checkListeners(c *checker, name string, listeners []registrar.Listener) {
	for i, l := range listeners {
		at := fmt.Sprintf("%s[%d]", name, i)
		c.need(l.Addr.IsValid(), at+".address", "is missing")
		c.need(len(l.More) == 0 || l.Protocol == wire.ProtocolSCTP, at+".more", "only SCTP has several addresses")
		c.need(name != "enrp" || !l.Addr.IsValid() || !l.Addr.Addr().IsUnspecified(), at+".address",
			"must name one address: other registrars are told where to find this one")
	}
}

// checkUnsecured complains about what only TLS can do: security is all or nothing (threats draft 2.15.3).
func (r *Registrar) checkUnsecured(c *checker) {
	const why = "has no use in an unsecured registrar"
	c.need(r.KeyFile == "", "key_file", why)
	c.need(r.CertificateFile == "", "certificate_file", why)
	c.need(r.CertificateKeyFile == "", "certificate_key_file", why)
	c.need(!r.OldSuite, "old_suite", why)
	c.need(!r.RejectPlain, "reject_plain", why)
	c.need(len(r.Grants) == 0, "grants", "%s: it takes every registration", why)
	for i, p := range r.Peers {
		c.need(p.Identity == "", fmt.Sprintf("peers[%d].identity", i), why)
		c.need(p.As == "", fmt.Sprintf("peers[%d].as", i), why)
	}
}

func (r *Registrar) checkSecured(c *checker) {
	c.need(r.KeyFile != "", "key_file", "is missing: the file with a line identity:hexkey for each pool element")
	c.need(len(r.Grants) > 0, "grants", "is missing: nobody could enrol")
	c.need(r.CertificateFile == "" || r.CertificateKeyFile != "", "certificate_key_file", "is missing: the key of certificate_file")
	c.need(!r.OldSuite || r.CertificateFile != "", "old_suite", "has no use without certificate_file")
	c.need(r.CertificateKeyFile == "" || r.CertificateFile != "", "certificate_file", "is missing: the certificate of certificate_key_file")
	c.need(len(r.Peers) == 0 || r.ServerID != 0, "server_id", "is missing: the other registrars' configurations name this one by it")
	for i, p := range r.Peers {
		at := fmt.Sprintf("peers[%d]", i)
		c.need(p.Server != 0, at+".server_id", "is missing: who proves identity is that registrar and no other")
		c.need(p.Identity != "", at+".identity", "is missing: what that registrar proves to this one")
		c.need(p.As != "", at+".as", "is missing: what this registrar proves to that one")
		c.need(p.Identity != p.As || p.As == "", at+".as", "%q is what the other one proves; each direction needs an identity and a key of its own", p.As)
		r.checkOwn(c, i)
	}
	if r.RejectPlain {
		for _, l := range slices.Concat(r.ASAP, r.ENRP) {
			c.need(l.Addr.Port() != portASAP && l.Addr.Port() != portENRP, "reject_plain", "%v is in use for TLS", l.Addr)
		}
	}
}

// checkOwn complains about who else has the identity that this registrar proves to a peer, who has its key.
func (r *Registrar) checkOwn(c *checker, peer int) {
	as := r.Peers[peer].As
	for j, q := range r.Peers {
		c.need(as == "" || j == peer || q.Identity != as, fmt.Sprintf("peers[%d].as", peer),
			"%q is what peers[%d] proves; each pair needs identities and keys of its own", as, j)
	}
	for j, g := range r.Grants {
		c.need(as == "" || g.Identity != as, fmt.Sprintf("grants[%d].identity", j),
			"%q is what this registrar proves to peers[%d]; who proves it here is refused", as, peer)
	}
}

func (r *Registrar) checkPeers(c *checker) {
	c.need(len(r.Peers) == 0 || len(r.ENRP) > 0, "enrp", "is missing: the address where the other registrars find this one")
	for i, p := range r.Peers {
		at := fmt.Sprintf("peers[%d]", i)
		c.need(p.Addr.IsValid(), at+".address", "is missing")
		c.need(p.Server == 0 || p.Server != r.ServerID, at+".server_id", "%v is this registrar's own", p.Server)
		c.need(len(p.More) == 0 || p.Protocol == wire.ProtocolSCTP, at+".more", "only SCTP has several addresses")
		c.need(len(r.ENRP) == 0 || slices.ContainsFunc(r.ENRP, func(l registrar.Listener) bool { return l.Protocol == p.Protocol }),
			at+".protocol", "this registrar does not speak ENRP over %v", p.Protocol)
	}
}

func (r *Registrar) checkAnnounce(c *checker) {
	a, standard := r.Announce, DefaultRegistrar().Announce
	if a.Interface == "" {
		c.need(a == standard, "announce.interface", "is missing: the interface of the multicast groups")
		return
	}
	c.need(!a.ASAP.IsValid() || a.ASAP.Addr().IsMulticast(), "announce.asap", "%v is not a multicast group", a.ASAP.Addr())
	c.need(!a.ENRP.IsValid() || a.ENRP.Addr().IsMulticast(), "announce.enrp", "%v is not a multicast group", a.ENRP.Addr())
}

func (r *Registrar) repeatedGrants() (faults []Fault) {
	var identities []string
	for i, g := range r.Grants {
		identities = append(identities, g.Identity)
		at := fmt.Sprintf("registrar.grants[%d]", i)
		faults = append(faults, Repeated(g.Pools, at+".pools[%d]", func(_ int, p wire.PoolHandle) string {
			return fmt.Sprintf("%q is given twice", p)
		})...)
		faults = append(faults, Repeated(g.Addresses, at+".addresses[%d]", func(_ int, p netip.Prefix) string {
			return p.String() + " is given twice"
		})...)
	}
	return append(faults, Repeated(identities, "registrar.grants[%d].identity", func(first int, id string) string {
		return fmt.Sprintf("%q has grants[%d] already; put all its pools and addresses there", id, first)
	})...)
}

// place is where somebody listens.
type place struct {
	protocol wire.Protocol
	at       netip.AddrPort
}

func (p place) String() string { return p.protocol.String() + "://" + p.at.String() }

// repeatedPlaces complains about what must be one's own and is not: addresses, identifiers, identities.
func (r *Registrar) repeatedPlaces() (faults []Fault) {
	var asap, both []place
	for _, l := range r.ASAP {
		asap = append(asap, placeOf(l))
	}
	both = slices.Clone(asap)
	twice := func(_ int, p place) string { return p.String() + " is given twice" }
	faults = append(faults, Repeated(asap, "registrar.asap[%d].address", twice)...)
	for i, l := range r.ENRP {
		if p := placeOf(l); p != (place{}) && slices.Contains(both, p) {
			faults = append(faults, Faultf(fmt.Sprintf("registrar.enrp[%d].address", i), "%v is given twice", p))
		}
		both = append(both, placeOf(l))
	}
	var servers []wire.ServerID
	var identities, as []string
	for _, p := range r.Peers {
		servers, identities, as = append(servers, p.Server), append(identities, p.Identity), append(as, p.As)
	}
	faults = append(faults, Repeated(servers, "registrar.peers[%d].server_id", func(_ int, id wire.ServerID) string {
		return id.String() + " is given twice"
	})...)
	faults = append(faults, Repeated(as, "registrar.peers[%d].as", func(_ int, id string) string {
		return fmt.Sprintf("%q is for another peer; each pair needs identities and keys of its own", id)
	})...)
	return append(faults, Repeated(identities, "registrar.peers[%d].identity", func(_ int, id string) string {
		return fmt.Sprintf("%q is another peer's; each pair needs identities and keys of its own", id)
	})...)
}

func placeOf(l registrar.Listener) place {
	if !l.Addr.IsValid() {
		return place{}
	}
	return place{l.Protocol, l.Addr}
}
