// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"sync"
	"testing"

	"github.com/weir-lb/weir/registrar/transport/sctp"
	"github.com/weir-lb/weir/registrar/wire"
	"github.com/weir-lb/weir/test/require"
)

// TestEachRecordIsOneMessage, with a relay that looks at every message on its way
// between two ends of TLS (RFC 3436 3.2).
func TestEachRecordIsOneMessage(t *testing.T) {
	for _, kind := range []Kind{Proven, Anonymous} {
		t.Run(kind.String(), func(t *testing.T) {
			w := way{protocol: wire.ProtocolSCTP, kind: kind}
			w.need(t)
			cfg, dial := w.configs(t)
			l, err := Listen(testContext(t), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			dial.Remote = relay(t, l.Addr())
			client, err := Dial(testContext(t), dial)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			server, err := l.Accept(testContext(t))
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			for _, ends := range [][2]*Session{{client, server}, {server, client}} {
				if err := ends[0].Write(testContext(t), message(65535)); err != nil {
					t.Fatal(err)
				}
				if got, err := ends[1].Read(testContext(t)); err != nil || !bytes.Equal(got, message(65535)) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
			}
		})
	}
}

// relay passes on each message of one association, and complains of what is not
// one record.
func relay(t *testing.T, to netip.AddrPort) netip.AddrPort {
	t.Helper()
	l, err := sctp.Listen([]netip.Addr{loopback.Addr()}, 0, []uint32{recordPPID})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	pass := func(from, to *sctp.Conn) {
		defer to.Close()
		for {
			m, err := from.ReadMessage()
			if err != nil {
				return
			}
			if n, whole := recordLen(m); !whole || n != len(m) {
				t.Errorf("a message of %d bytes with a record of %d", len(m), n)
			}
			if to.WriteMessage(m, recordPPID) != nil {
				return
			}
		}
	}
	all.Go(func() {
		in, err := l.Accept()
		if err != nil {
			return
		}
		near, err := in.Conn()
		if err != nil {
			t.Error(err)
			return
		}
		remote := sctp.Endpoint{Addrs: []netip.Addr{to.Addr()}, Port: to.Port()}
		far, err := sctp.Dial(testContext(t), sctp.Endpoint{}, remote, []uint32{recordPPID})
		if err != nil {
			near.Close()
			t.Error(err)
			return
		}
		all.Go(func() { pass(near, far) })
		pass(far, near)
	})
	return l.Addrs()[0]
}

// TestPlainPeerIsTurnedAwayOverSCTP: the answer comes whole, before the end.
func TestPlainPeerIsTurnedAwayOverSCTP(t *testing.T) {
	require.Need(t, require.SCTP)
	heard := make(chan []byte, 1)
	l, refusals := listen(t, ListenConfig{
		Protocol: wire.ProtocolSCTP, PPID: 11, HandshakeTimeout: patience,
		OnPlain: func(first []byte) []byte { heard <- first; return message(21) },
	})
	s, err := Dial(testContext(t), DialConfig{Protocol: wire.ProtocolSCTP, PPID: 11, Remote: l.Addr(), Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Write(testContext(t), message(65535)); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; !bytes.Equal(got, message(65535)) {
		t.Errorf("it heard %d bytes", len(got))
	}
	if got, err := s.Read(testContext(t)); err != nil || !bytes.Equal(got, message(21)) {
		t.Errorf("the answer is %x, %v", got, err)
	}
	if _, err := s.Read(testContext(t)); !errors.Is(err, io.EOF) {
		t.Errorf("read: %v", err)
	}
	if r := refusal(t, refusals); r.Reason != ReasonPlain || r.Remote != s.LocalAddrs()[0] {
		t.Errorf("%+v", r)
	}
}

// TestAnotherPPIDEndsTheSession: ENRP's at the port of ASAP, and plain ASAP where
// only TLS is spoken.
func TestAnotherPPIDEndsTheSession(t *testing.T) {
	require.Need(t, require.SCTP)
	plain, err := Listen(testContext(t), ListenConfig{Protocol: wire.ProtocolSCTP, PPID: 11, Addr: loopback, Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	secured, refusals := listen(t, ListenConfig{Protocol: wire.ProtocolSCTP, PPID: 11})
	for ppid, l := range map[uint32]*Listener{12: plain, 11: secured} {
		s, err := Dial(testContext(t), DialConfig{Protocol: wire.ProtocolSCTP, PPID: ppid, Remote: l.Addr(), Plain: true})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Write(testContext(t), message(8)); err != nil {
			t.Fatal(err)
		}
		if l == plain {
			accepted, err := l.Accept(testContext(t))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := accepted.Read(testContext(t)); !errors.Is(err, sctp.ErrPPID) {
				t.Errorf("read: %v", err)
			}
		}
		if _, err := s.Read(testContext(t)); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("the peer sees %v", err)
		}
	}
	if r := refusal(t, refusals); r.Reason != ReasonHandshake || !errors.Is(r.Err, sctp.ErrPPID) {
		t.Errorf("%+v", r)
	}
}

// TestSessionFromTheListeningPort, as ENRP over SCTP needs it.
func TestSessionFromTheListeningPort(t *testing.T) {
	require.Need(t, require.SCTP)
	var ends [2]*Listener
	for i := range ends {
		l, err := Listen(testContext(t), ListenConfig{Protocol: wire.ProtocolSCTP, PPID: 12, Addr: loopback, Plain: true})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ends[i] = l
	}
	cfg := DialConfig{
		Protocol: wire.ProtocolSCTP, PPID: 12, Plain: true, Remote: ends[1].Addr(),
		Local: []netip.Addr{loopback.Addr()}, LocalPort: ends[0].Addr().Port(),
	}
	s, err := Dial(testContext(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	accepted, err := ends[1].Accept(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	if got := accepted.RemoteAddrs()[0]; got != ends[0].Addr() {
		t.Errorf("it comes from %v, want %v", got, ends[0].Addr())
	}
	if again, err := Dial(testContext(t), cfg); !errors.Is(err, ErrAssociated) {
		t.Errorf("a second time: %v, %v", again, err)
	}
}
