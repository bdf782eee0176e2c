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

// takeOver opens an association to the element, from a registrar's own port, and makes that registrar its home.
func takeOver(t *testing.T, element *wire.Transport, server wire.ServerID) *peer {
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
	p.send(&wire.EndpointKeepAlive{Home: true, Server: server, Pool: testPool})
	receive[*wire.EndpointKeepAliveAck](p)
	return p
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

// Of visitors that are no home only the newest stay.
func TestRunHoldsFewVisitors(t *testing.T) {
	require.Need(t, require.SCTP)
	s := servePlain(t, wire.ProtocolSCTP)
	start(t, plainly(wire.ProtocolSCTP), s.addr())
	p := s.accept()
	r := receive[*wire.Registration](p)
	p.send(&wire.RegistrationResponse{Pool: r.Pool, PE: r.Element.ID})
	var visitors []*transport.Session
	for range maxVisitors + 1 {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		session, err := transport.Dial(ctx, transport.DialConfig{
			Protocol: wire.ProtocolSCTP, Remote: netip.AddrPortFrom(r.Element.ASAP.Addrs[0], r.Element.ASAP.Port), PPID: 11, Plain: true,
		})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { session.Close() })
		visitors = append(visitors, session)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if m, err := visitors[0].Read(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("read %x, %v, want the end of the session", m, err)
	}
}
