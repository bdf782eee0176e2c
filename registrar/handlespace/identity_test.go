// SPDX-License-Identifier: Apache-2.0

package handlespace_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// elsewhere is a session from several addresses.
type elsewhere struct {
	session
	addrs []netip.AddrPort
}

func (elsewhere) Protocol() wire.Protocol         { return wire.ProtocolSCTP }
func (e elsewhere) RemoteAddrs() []netip.AddrPort { return e.addrs }

func from(name string, addrs ...string) elsewhere {
	e := elsewhere{session: session{7, name}}
	for _, a := range addrs {
		e.addrs = append(e.addrs, netip.MustParseAddrPort(a))
	}
	return e
}

func TestIdentify(t *testing.T) {
	for _, tt := range []struct {
		name string
		from elsewhere
		kind handlespace.Kind
		want string
	}{
		{"proven", from("pe-1", "10.0.0.1:1"), handlespace.Proven, "pe-1"},
		{"anonymous", from("", "10.0.0.1:1"), handlespace.Anonymous, "anonymous:10.0.0.1"},
		{"plain: the lowest address, whatever the port", from("", "10.0.0.9:1", "10.0.0.2:9", "[2001:db8::1]:1"), handlespace.Plain,
			"plain:10.0.0.2"},
		{"plain: one spelling of an address", from("", "[::ffff:10.0.0.2]:9"), handlespace.Plain, "plain:10.0.0.2"},
		{"plain: a name that nobody has proven is none", from("pe-1", "10.0.0.1:1"), handlespace.Plain, "plain:10.0.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i := handlespace.Identify(tt.from, tt.kind)
			if i.Name() != tt.want || i.Kind() != tt.kind || i.Session() != 7 || i.IsZero() {
				t.Errorf("%q, %v, session %d, want %q", i.Name(), i.Kind(), i.Session(), tt.want)
			}
			if !slices.Equal(i.Addrs(), tt.from.addrs) || i.Protocol() != wire.ProtocolSCTP {
				t.Errorf("over %v from %v", i.Protocol(), i.Addrs())
			}
			if !i.HasAddr(tt.from.addrs[0].Addr().Unmap()) || i.HasAddr(netip.MustParseAddr("10.9.9.9")) {
				t.Error("the addresses are not the session's")
			}
		})
	}
	if none := (handlespace.Identity{}); !none.IsZero() || none.Kind() != handlespace.Nobody || none.Name() != "" || none.Addrs() != nil || none.Protocol() != 0 {
		t.Error("the zero Identity is somebody")
	}
}
