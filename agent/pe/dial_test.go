// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
)

func addrs(texts ...string) (all []netip.Addr) {
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

func TestLocalFor(t *testing.T) {
	const tcp, sctp = wire.ProtocolTCP, wire.ProtocolSCTP
	for _, test := range []struct {
		name       string
		candidates []netip.Addr
		remote     string
		protocol   wire.Protocol
		want       []netip.Addr
	}{
		{"loopback", addrs("127.0.0.1"), "127.0.0.1", tcp, addrs("127.0.0.1")},
		{"loopback does not reach others", addrs("127.0.0.1"), "192.0.2.1", tcp, nil},
		{"others do not reach loopback", addrs("192.0.2.1"), "127.0.0.1", tcp, nil},
		{"another family", addrs("192.0.2.1"), "2001:db8::1", tcp, nil},
		{"the first that can", addrs("192.0.2.1", "2001:db8::2", "2001:db8::3"), "2001:db8::1", tcp, addrs("2001:db8::2")},
		{"multi-homed", addrs("192.0.2.1", "192.0.2.2"), "192.0.2.9", sctp, addrs("192.0.2.1", "192.0.2.2")},
		{"multi-homed in both families", addrs("192.0.2.1", "2001:db8::2"), "192.0.2.9", sctp, addrs("192.0.2.1", "2001:db8::2")},
		{"multi-homed, but for loopback", addrs("127.0.0.1", "192.0.2.2"), "192.0.2.9", sctp, addrs("192.0.2.2")},
		{"none", nil, "192.0.2.9", tcp, nil},
	} {
		if got := localFor(test.candidates, netip.MustParseAddr(test.remote), test.protocol); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestLocals(t *testing.T) {
	for _, test := range []struct {
		name          string
		local, served []netip.Addr
		want          []netip.Addr
	}{
		{"served here", nil, addrs("127.0.0.1"), addrs("127.0.0.1")},
		{"served elsewhere", nil, addrs("192.0.2.1"), nil},
		{"one of two is here", nil, addrs("192.0.2.1", "127.0.0.1"), addrs("127.0.0.1")},
		{"configured", addrs("192.0.2.7"), addrs("127.0.0.1"), addrs("192.0.2.7")},
	} {
		cfg := Config{Local: test.local, User: wire.Transport{Addrs: test.served}}
		if got, err := cfg.locals(); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, %v, want %v", test.name, got, err, test.want)
		}
	}
}

func TestListensOnlyForPlainSCTP(t *testing.T) {
	for _, cfg := range []Config{
		{Plain: true}, {Plain: true, Protocol: wire.ProtocolTCP}, {Protocol: wire.ProtocolSCTP},
		{Plain: true, Protocol: wire.ProtocolSCTP, User: wire.Transport{Addrs: addrs("192.0.2.1")}}, // not of this machine
	} {
		l, err := listen(t.Context(), &cfg)
		if l != nil || err != nil || l.port() != 0 || l.transport() != nil || l.close() != nil {
			t.Errorf("%+v: listener %v, error %v", cfg, l, err)
		}
	}
}
