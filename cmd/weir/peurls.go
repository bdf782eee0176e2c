// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/weir-lb/weir/agent/hunt"
	"github.com/weir-lb/weir/agent/pe"
	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/wire"
)

func (f *peFlags) setRegistrars(cfg *pe.Config) error {
	port := uint16(pe.PortTLS)
	if cfg.Plain {
		port = pe.Port
	}
	for _, s := range f.registrars {
		r, err := parseRegistrar(s, port)
		if err != nil {
			return fmt.Errorf("--registrar %w", err)
		}
		cfg.Registrars = append(cfg.Registrars, r)
	}
	return nil
}

// parseRegistrar accepts a name or an address, without a port at the usual one;
// an IPv6 address with a port needs brackets.
func parseRegistrar(s string, usual uint16) (hunt.Registrar, error) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return hunt.Registrar{Host: addr.String(), Port: usual}, nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil { // no port
		host, port = s, strconv.Itoa(int(usual))
	}
	host, err = transport.ASCIIName(host)
	if err != nil {
		return hunt.Registrar{}, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || !isHost(host) {
		return hunt.Registrar{}, fmt.Errorf("%q is not HOST[:PORT]", s)
	}
	return hunt.Registrar{Host: host, Port: uint16(n)}, nil
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

// setUser parses --serve: addresses and no names, since the registrar and the
// gateways must agree on them.
func (f *peFlags) setUser(cfg *pe.Config) error {
	user, ok := parseTransport(f.serve)
	if !ok {
		return fmt.Errorf("--serve %q is not tcp://ADDRESS:PORT, udp://…, udplite://…, dccp://… or sctp://ADDRESS[,ADDRESS…]:PORT", f.serve)
	}
	for _, a := range user.Addrs {
		if a.IsUnspecified() || a.IsMulticast() {
			return fmt.Errorf("--serve %q is not an address that a client can reach; name one of this machine's", f.serve)
		}
	}
	switch {
	case f.control && user.Protocol != wire.ProtocolSCTP: // RFC 5354 3.4
		return errors.New("--control-channel needs --serve sctp://…")
	case f.service > math.MaxUint32:
		return fmt.Errorf("--service-code %d is not from 0 to %d", f.service, uint32(math.MaxUint32))
	case f.service != 0 && user.Protocol != wire.ProtocolDCCP: // RFC 5354 3.3
		return errors.New("--service-code needs --serve dccp://…")
	}
	if f.control {
		user.Use = wire.UseDataControl
	}
	user.ServiceCode = uint32(f.service)
	cfg.User = user
	return nil
}

// parseTransport reads SCHEME://ADDRESS:PORT, for SCTP with several addresses.
func parseTransport(s string) (t wire.Transport, ok bool) {
	schemes := map[string]wire.Protocol{"tcp": wire.ProtocolTCP, "udp": wire.ProtocolUDP, "udplite": wire.ProtocolUDPLite,
		"dccp": wire.ProtocolDCCP, "sctp": wire.ProtocolSCTP}
	scheme, rest, _ := strings.Cut(s, "://")
	t.Protocol = schemes[scheme]
	hosts := strings.Split(rest, ",")
	last, err := netip.ParseAddrPort(hosts[len(hosts)-1])
	if err != nil || t.Protocol == 0 || last.Port() == 0 || (len(hosts) > 1 && t.Protocol != wire.ProtocolSCTP) {
		return t, false
	}
	t.Port = last.Port()
	for _, host := range hosts[:len(hosts)-1] {
		a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
		if err != nil || a.Zone() != "" {
			return t, false
		}
		t.Addrs = append(t.Addrs, a)
	}
	t.Addrs = append(t.Addrs, last.Addr())
	return t, last.Addr().Zone() == ""
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
