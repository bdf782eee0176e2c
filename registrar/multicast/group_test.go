// SPDX-License-Identifier: Apache-2.0

package multicast

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"
)

const patience = 10 * time.Second

func join(t *testing.T, cfg Config) *Group {
	t.Helper()
	cfg.Interface = "lo"
	g, err := Join(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	if err := g.in.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestMembersHearEachOther(t *testing.T) {
	group, source := netip.MustParseAddrPort("239.255.77.1:39863"), netip.MustParseAddrPort("127.0.0.1:39863")
	one := join(t, Config{Group: group, Source: source, HopLimit: 4})
	two := join(t, Config{Group: group})
	if err := one.Send([]byte("here I am")); err != nil {
		t.Fatal(err)
	}
	for _, g := range []*Group{one, two} { // its own too
		b, from, err := g.Receive()
		if err != nil || string(b) != "here I am" || from != source {
			t.Errorf("%q from %v, %v", b, from, err)
		}
	}
}

// The loopback interface has no route to IPv6 groups: what can be seen there is that the kernel takes the options.
func TestIPv6(t *testing.T) {
	join(t, Config{
		Group: netip.MustParseAddrPort("[ff01::133]:39863"), Source: netip.MustParseAddrPort("[::1]:39863"), HopLimit: 4,
	})
}

func TestOtherGroupsAreNotHeard(t *testing.T) {
	one := join(t, Config{Group: netip.MustParseAddrPort("239.255.77.1:39864")})
	two := join(t, Config{Group: netip.MustParseAddrPort("239.255.77.2:39864")})
	for _, g := range []*Group{two, one} {
		if err := g.Send([]byte(g.group.String())); err != nil {
			t.Fatal(err)
		}
	}
	if b, _, err := one.Receive(); err != nil || string(b) != one.group.String() {
		t.Errorf("%q, %v", b, err)
	}
}

func TestCloseEndsReceive(t *testing.T) {
	g := join(t, Config{Group: netip.MustParseAddrPort("239.255.77.1:39865")})
	ended := make(chan error)
	go func() {
		_, _, err := g.Receive()
		ended <- err
	}()
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
}

func TestJoinRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"no group", Config{Group: netip.MustParseAddrPort("10.0.0.1:3863"), Interface: "lo"},
			"10.0.0.1 is not the address of a multicast group"},
		{"no interface", Config{Group: netip.MustParseAddrPort("224.0.1.185:3863"), Interface: "none0"},
			`multicast on "none0": route ip+net: no such network interface`},
		{"not our address", Config{
			Group: netip.MustParseAddrPort("239.255.77.1:39866"), Interface: "lo", Source: netip.MustParseAddrPort("192.0.2.1:39866"),
		}, "send to 239.255.77.1:39866 on lo: listen udp4 192.0.2.1:39866: bind: cannot assign requested address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Join(tt.cfg); err == nil || err.Error() != tt.want {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}
