// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"context"
	"net/netip"
	"slices"
	"testing"

	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/wire"
	"github.com/weir-lb/weir/test/require"
)

// servePlain is a registrar that is not secured.
func servePlain(t *testing.T, protocol wire.Protocol) *scripted {
	t.Helper()
	l, err := transport.Listen(t.Context(), transport.ListenConfig{
		Protocol: protocol,
		Addr:     netip.MustParseAddrPort("127.0.0.1:0"),
		PPID:     11,
		Plain:    true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &scripted{t, l}
}

func plainly(protocol wire.Protocol) func(*Config) {
	return func(c *Config) { c.Plain, c.Protocol, c.Identity, c.Keys = true, protocol, "", nil }
}

func TestRunPlain(t *testing.T) {
	for _, protocol := range []wire.Protocol{wire.ProtocolTCP, wire.ProtocolSCTP} {
		t.Run(protocol.String(), func(t *testing.T) {
			if protocol == wire.ProtocolSCTP {
				require.Need(t, require.SCTP)
			}
			dead, s := servePlain(t, protocol), servePlain(t, protocol)
			dead.listener.Close()
			e := start(t, plainly(protocol), dead.addr(), s.addr())
			p := s.accept()
			if p.session.Kind() != transport.Plain || p.session.Protocol() != protocol {
				t.Errorf("session of kind %v over %v", p.session.Kind(), p.session.Protocol())
			}
			p.grant()
			p.send(&wire.EndpointKeepAlive{Server: 7, Pool: "web"})
			receive[*wire.EndpointKeepAliveAck](p)
			e.stop()
			p.grantLeave()
			if err := e.wait(); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
}

// visit opens an association to the element, as a registrar other than its home, and sends a keep-alive.
func visit(t *testing.T, element *wire.Transport, k *wire.EndpointKeepAlive) *peer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	session, err := transport.Dial(ctx, transport.DialConfig{
		Protocol: wire.ProtocolSCTP, Remote: netip.AddrPortFrom(element.Addrs[0], element.Port), PPID: 11, Plain: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	p := &peer{t, session}
	p.send(k)
	receive[*wire.EndpointKeepAliveAck](p)
	return p
}

// takeOver makes the visitor the home.
func takeOver(t *testing.T, element *wire.Transport, server wire.ServerID) *peer {
	t.Helper()
	return visit(t, element, &wire.EndpointKeepAlive{Home: true, Server: server, Pool: testPool})
}

// What rsplib's registrar does after a takeover (RFC 5352 3.4): it comes to the port that the element registered from.
func TestRunFollowsANewHomeOverSCTP(t *testing.T) {
	require.Need(t, require.SCTP)
	s := servePlain(t, wire.ProtocolSCTP)
	e := start(t, plainly(wire.ProtocolSCTP), s.addr())
	p := s.accept()
	r := receive[*wire.Registration](p)
	asap := r.Element.ASAP
	if asap == nil || asap.Protocol != wire.ProtocolSCTP || !slices.Equal(asap.Addrs, addrs("127.0.0.1")) ||
		asap.Port != p.session.RemoteAddrs()[0].Port() {
		t.Fatalf("ASAP transport %+v, want the session's own end, %v", asap, p.session.RemoteAddrs())
	}
	p.send(&wire.RegistrationResponse{Pool: r.Pool, PE: r.Element.ID})
	next := takeOver(t, asap, 9)
	if r := receive[*wire.Registration](next); r.Element.ID != testID || r.Element.Home != 9 {
		t.Errorf("registered %v with home %v, want %v, 9", r.Element.ID, r.Element.Home, testID)
	}
	next.send(&wire.RegistrationResponse{Pool: r.Pool, PE: r.Element.ID})
	e.stop()
	next.grantLeave()
	if err := e.wait(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestRunFollowsANewHomeAfterTheOldOneDied(t *testing.T) {
	require.Need(t, require.SCTP)
	s := servePlain(t, wire.ProtocolSCTP)
	start(t, plainly(wire.ProtocolSCTP), s.addr())
	p := s.accept()
	r := receive[*wire.Registration](p)
	p.send(&wire.RegistrationResponse{Pool: r.Pool, PE: r.Element.ID})
	s.listener.Close()
	p.session.Close()
	next := takeOver(t, r.Element.ASAP, 9)
	receive[*wire.Registration](next)
}

// RFC 5352 3.1 R1, 2.2.1: the served addresses are among the association's, and the registrar can use each.
func TestRunIsMultiHomed(t *testing.T) {
	require.Need(t, require.SCTP)
	s := servePlain(t, wire.ProtocolSCTP)
	both := addrs("127.0.0.1", "127.0.0.2")
	start(t, func(c *Config) {
		plainly(wire.ProtocolSCTP)(c)
		c.Local = both
		c.User = wire.Transport{Protocol: wire.ProtocolSCTP, Port: 7, Use: wire.UseDataControl, Addrs: both}
	}, s.addr())
	p := s.accept()
	var remotes []netip.Addr
	for _, at := range p.session.RemoteAddrs() {
		remotes = append(remotes, at.Addr())
	}
	slices.SortFunc(remotes, netip.Addr.Compare)
	r := receive[*wire.Registration](p)
	if !slices.Equal(remotes, both) || !slices.Equal(r.Element.User.Addrs, both) || !slices.Equal(r.Element.ASAP.Addrs, both) {
		t.Errorf("association from %v, serving at %v, ASAP at %v, want %v", remotes, r.Element.User.Addrs, r.Element.ASAP.Addrs, both)
	}
	p.send(&wire.RegistrationResponse{Pool: r.Pool, PE: r.Element.ID})
	second := *r.Element.ASAP
	second.Addrs = second.Addrs[1:]
	receive[*wire.Registration](takeOver(t, &second, 9))
}

// Of visitors that are no home only the newest stay.
func TestRunHoldsFewVisitors(t *testing.T) {
	require.Need(t, require.SCTP)
	s := servePlain(t, wire.ProtocolSCTP)
	start(t, plainly(wire.ProtocolSCTP), s.addr())
	p := s.accept()
	r := receive[*wire.Registration](p)
	p.send(&wire.RegistrationResponse{Pool: r.Pool, PE: r.Element.ID})
	var visitors []*peer
	for range maxVisitors + 1 {
		visitors = append(visitors, visit(t, r.Element.ASAP, &wire.EndpointKeepAlive{Server: 9, Pool: testPool}))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if m, err := visitors[0].session.Read(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("read %x, %v, want the end of the session", m, err)
	}
}
