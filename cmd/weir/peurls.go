// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"

	"github.com/weir-lb/weir/agent/hunt"
	"github.com/weir-lb/weir/agent/pe"
	"github.com/weir-lb/weir/registrar/wire"
)

// asapTLSPort is the IANA port of ASAP over TLS (RFC 5352 8.2).
const asapTLSPort = 3864

func (f *peFlags) setRegistrars(cfg *pe.Config) error {
	for _, s := range f.registrars {
		r, ok := parseRegistrar(s)
		if !ok {
			return fmt.Errorf("--registrar %q is not HOST[:PORT]", s)
		}
		cfg.Registrars = append(cfg.Registrars, r)
	}
	return nil
}

// parseRegistrar accepts a name or an address; an IPv6 address with a port
// needs brackets.
func parseRegistrar(s string) (hunt.Registrar, bool) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return hunt.Registrar{Host: addr.String(), Port: asapTLSPort}, true
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil { // no port
		return hunt.Registrar{Host: s, Port: asapTLSPort}, isHost(s)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return hunt.Registrar{Host: host, Port: uint16(n)}, err == nil && n > 0 && isHost(host)
}

// isHost is a weak check, to tell a typing error from a name; the resolver has
// the last word.
func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	for _, c := range s {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return s != ""
}

// setUser parses --serve: an address and no name, since the registrar and the
// gateways must agree on it.
func (f *peFlags) setUser(cfg *pe.Config) error {
	fault := fmt.Errorf("--serve %q is not tcp://ADDRESS:PORT or udp://ADDRESS:PORT", f.serve)
	u, err := url.Parse(f.serve)
	if err != nil || *u != (url.URL{Scheme: u.Scheme, Host: u.Host}) {
		return fault
	}
	at, err := netip.ParseAddrPort(u.Host)
	if err != nil || at.Port() == 0 || at.Addr().Zone() != "" {
		return fault
	}
	if at.Addr().IsUnspecified() || at.Addr().IsMulticast() {
		return fmt.Errorf("--serve %q is not an address that a client can reach; name one of this machine's", f.serve)
	}
	cfg.User = wire.Transport{Port: at.Port(), Addrs: []netip.Addr{at.Addr()}}
	switch u.Scheme {
	case "tcp":
		cfg.User.Protocol = wire.ProtocolTCP
	case "udp":
		cfg.User.Protocol = wire.ProtocolUDP
	default:
		return fault
	}
	return nil
}

func (f *peFlags) setCheck(cfg *pe.Config) error {
	if f.check == "" {
		return nil
	}
	fault := fmt.Errorf("--check %q is not http://…, https://… or tcp://HOST:PORT", f.check)
	u, err := url.Parse(f.check)
	if err != nil || u.Hostname() == "" {
		return fault
	}
	switch u.Scheme {
	case "http", "https":
		cfg.Check = pe.CheckHTTP(f.check)
	case "tcp":
		if u.Port() == "" || *u != (url.URL{Scheme: u.Scheme, Host: u.Host}) {
			return fault
		}
		cfg.Check = pe.CheckTCP(u.Host)
	default:
		return fault
	}
	return nil
}
