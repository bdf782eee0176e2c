// SPDX-License-Identifier: Apache-2.0

package load

import (
	"net"
	"net/netip"
	"testing"
)

// open makes n connections to a listener and accepts them.
func open(t *testing.T, l net.Listener, network, to string, n int) (clients []net.Conn) {
	t.Helper()
	for range n {
		c, err := net.Dial(network, to)
		if err != nil {
			t.Fatal(err)
		}
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close(); s.Close() })
		clients = append(clients, c)
	}
	return clients
}

func TestConnections(t *testing.T) {
	for _, test := range []struct{ name, network, listen, at, elsewhere string }{
		{"IPv4", "tcp4", "127.0.0.1:0", "127.0.0.1", "127.0.0.2"},
		{"IPv6", "tcp6", "[::1]:0", "::1", "127.0.0.1"},
		{"IPv4 at a socket for both", "tcp", ":0", "127.0.0.1", "127.0.0.2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, err := net.Listen(test.network, test.listen)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			port := netip.MustParseAddrPort(l.Addr().String()).Port()
			at := netip.AddrPortFrom(netip.MustParseAddr(test.at), port)
			want := func(at netip.AddrPort, most int, load float64) {
				t.Helper()
				if got, err := Connections(at, most)(t.Context()); err != nil || got != load {
					t.Errorf("at %v of %d: %v, %v, want %v", at, most, got, err, load)
				}
			}
			want(at, 10, 0) // the listening socket is no connection
			clients := open(t, l, "tcp", at.String(), 5)
			want(at, 10, 0.5)
			want(at, 4, 1) // more than most
			want(netip.AddrPortFrom(netip.MustParseAddr(test.elsewhere), port), 10, 0)
			want(netip.AddrPortFrom(at.Addr(), port^1), 10, 0)
			for _, c := range clients[:2] {
				c.(*net.TCPConn).SetLinger(0) // reset: neither end lingers in another state
				c.Close()
			}
			want(at, 10, 0.3)
		})
	}
}
