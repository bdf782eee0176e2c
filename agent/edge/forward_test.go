// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
	"github.com/weir-lb/weir/test/lab"
	"github.com/weir-lb/weir/test/require"
)

func TestPlace(t *testing.T) {
	const v4, v6 = "10.0.20.1", "fd00:20::1"
	for _, tt := range []struct {
		vip   string
		mode  maps.Mode
		port  uint16
		addrs []string
		want  string // an address and port, or why not
	}{
		{"10.0.100.1:80", maps.NAT, 8080, []string{v6, v4}, "10.0.20.1:8080"},
		{"10.0.100.1:80", maps.NAT, 8080, []string{v6}, "it has no IPv4 address, which nat needs"},
		{"[2001:db8::1]:80", maps.NAT, 8080, []string{v4, v6}, "[fd00:20::1]:8080"},
		{"[2001:db8::1]:80", maps.NAT, 8080, []string{v4}, "it has no IPv6 address, which nat needs"},
		{"10.0.100.1:80", maps.DSR, 80, []string{v6, v4}, "10.0.20.1:80"},
		{"10.0.100.1:80", maps.DSR, 80, []string{v6}, "it has no IPv4 address, which dsr needs"},
		{"10.0.100.1:80", maps.DSR, 8080, []string{v4}, "it serves port 8080, but by dsr packets come with the service's port 80"},
		{"10.0.100.1:80", maps.IPIP, 80, []string{v6, v4}, "10.0.20.1:80"},
		{"10.0.100.1:80", maps.IPIP, 80, []string{v6}, "[fd00:20::1]:80"},
		{"[2001:db8::1]:80", maps.GUE, 80, []string{v4, v6}, "[fd00:20::1]:80"},
		{"[2001:db8::1]:80", maps.GUE, 80, []string{v4}, "10.0.20.1:80"},
		{"[2001:db8::1]:80", maps.GUE, 81, []string{v4}, "it serves port 81, but by gue packets come with the service's port 80"},
		{"10.0.100.1:80", maps.IPIP, 80, nil, "it has no IPv4 address, which ipip needs"},
	} {
		t.Run(fmt.Sprintf("%s by %s at %s", tt.vip, tt.mode, tt.addrs), func(t *testing.T) {
			s := &service{Service: maps.Service{VIP: addr(tt.vip), Protocol: maps.TCP}, options: maps.Options{Mode: tt.mode}}
			m := &handlespace.Element{}
			m.User = wire.Transport{Protocol: wire.ProtocolTCP, Port: tt.port}
			for _, a := range tt.addrs {
				m.User.Addrs = append(m.User.Addrs, netip.MustParseAddr(a))
			}
			at, got := s.place(m)
			if got == "" {
				got = at.String()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// An element serves the services of its transport alone, and all of those that have ports.
func TestPlaceByTransport(t *testing.T) {
	numbers := map[wire.Protocol]uint8{
		wire.ProtocolTCP: 6, wire.ProtocolUDP: 17, wire.ProtocolDCCP: 33, wire.ProtocolSCTP: 132, wire.ProtocolUDPLite: 136, wire.ProtocolOpaque: 0,
	}
	for of, number := range numbers {
		m := &handlespace.Element{}
		m.User = wire.Transport{Protocol: of, Port: 80, Addrs: []netip.Addr{netip.MustParseAddr("10.0.20.1")}}
		for by, other := range numbers {
			if by == wire.ProtocolOpaque {
				continue
			}
			s := &service{Service: ServiceConfig{VIP: netip.MustParseAddr("10.0.100.1"), Port: 80, Protocol: by}.endpoint()}
			if s.Protocol != other {
				t.Errorf("%s is protocol %d, want %d", by, s.Protocol, other)
			}
			want := ""
			if number != other {
				want = "it serves " + of.String()
			}
			if _, got := s.place(m); got != want {
				t.Errorf("%s by %s: %q, want %q", of, s.Service, got, want)
			}
		}
	}
}

// Whoever wonders why an element gets nothing finds it in the log, once.
func TestUnfitElementsAreNamedOnce(t *testing.T) {
	var log bytes.Buffer
	k := newKernel(t)
	k.log = slog.New(slog.NewTextHandler(&log, nil))
	cfg := configured("10.0.100.1")
	cfg.Services[0].Mode = maps.DSR
	must(t, k.configure(cfg, k.now))
	k.register(1, "10.0.11.2:80")
	k.register(2, "10.0.11.3:8080")
	k.register(3, "10.0.11.4:80")
	if n := strings.Count(log.String(), "it serves port 8080, but by dsr packets come with the service's port 80"); n != 1 {
		t.Errorf("said %d times in\n%s", n, &log)
	}
	if n := len(k.steering.Rows(k.services[0].Service)); n != 2 {
		t.Errorf("%d elements in the kernel, want 2", n)
	}
}

// Tunnels come from what the configuration says, else from what the route says, as long as it is there.
func TestTunnelSources(t *testing.T) {
	require.Need(t, require.NetNS)
	k := newKernel(t)
	network, err := lab.New("tunnels", slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { must(t, network.Close()) })
	host, err := network.Node("gw")
	must(t, err)
	far, err := network.Node("far")
	must(t, err)
	must(t, network.Link(lab.End{Node: host, Name: "be", Addr: netip.MustParsePrefix("10.0.20.254/24")}, lab.End{Node: far, Name: "be"}))
	tun := &k.tunnels
	reach := func(elements ...string) (err error) {
		var list []maps.Element
		for _, e := range elements {
			list = append(list, maps.Element{Addr: addr(e)})
		}
		must(t, host.Do(func() error { err = tun.reach(list); return nil }))
		return err
	}
	wants := func(what, v4, v6 string) {
		t.Helper()
		got, err := maps.ReadTunnelSources(k.maps)
		must(t, err)
		if got != tun.sources {
			t.Errorf("%s: the kernel has %v, not %v", what, got, tun.sources)
		}
		if text := fmt.Sprint(got.V4, " ", got.V6); text != v4+" "+v6 {
			t.Errorf("%s: %s, want %s %s", what, text, v4, v6)
		}
	}
	const none = "invalid IP"
	must(t, reach())
	wants("no elements", none, none)
	must(t, reach("10.0.20.1:80", "10.0.20.2:80"))
	wants("by the route", "10.0.20.254", none)
	if err := reach("10.0.20.1:80", "[fd00:20::1]:80"); err == nil || !strings.Contains(err.Error(), "set tunnel_source") {
		t.Errorf("without a route: %v", err)
	}
	wants("without a route to IPv6", "10.0.20.254", none)
	must(t, tun.configure([]netip.Addr{netip.MustParseAddr("fd00:20::fe")}))
	must(t, reach("10.0.20.1:80", "[fd00:20::1]:80"))
	wants("IPv6 by the configuration", "10.0.20.254", "fd00:20::fe")
	must(t, host.AddAddr("be", netip.MustParsePrefix("10.0.21.254/24")))
	must(t, reach("10.0.21.1:80"))
	wants("kept as long as it is there", "10.0.20.254", "fd00:20::fe")
	must(t, host.DelAddr("be", netip.MustParsePrefix("10.0.20.254/24")))
	must(t, reach("10.0.21.1:80"))
	wants("gone", "10.0.21.254", "fd00:20::fe")
	must(t, tun.configure([]netip.Addr{netip.MustParseAddr("10.9.9.9")}))
	wants("a reload", "10.9.9.9", "fd00:20::fe")
}
