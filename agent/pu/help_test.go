// SPDX-License-Identifier: Apache-2.0

package pu

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/weir-lb/weir/agent/hunt"
	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/transport/psk"
	"github.com/weir-lb/weir/registrar/wire"
)

// wait is far longer than anything here takes; only a fault waits it out.
const wait = 20 * time.Second

const (
	goodKey  = "00112233445566778899aabbccddeeff"
	otherKey = "ffeeddccbbaa99887766554433221100"
)

func keys(t testing.TB, lines string) *psk.Keys {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := psk.LoadKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// scripted is a registrar that does what a test says.
type scripted struct {
	*transport.Listener
	t *testing.T
}

func listen(t *testing.T, lines string) scripted {
	t.Helper()
	l, err := transport.Listen(t.Context(), transport.ListenConfig{
		Addr: netip.MustParseAddrPort("127.0.0.1:0"), Keys: keys(t, lines), HandshakeTimeout: wait,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return scripted{l, t}
}

// peer is a session with a user.
type peer struct {
	*transport.Session
	t   *testing.T
	ctx context.Context
}

func (s scripted) accept() peer {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), wait)
	s.t.Cleanup(cancel)
	session, err := s.Accept(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { session.Close() })
	return peer{session, s.t, ctx}
}

func (p peer) send(m wire.Message) {
	p.t.Helper()
	b, err := wire.AppendASAP(nil, m)
	if err == nil {
		err = p.Write(p.ctx, b)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// receive waits for one message, which must be an M.
func receive[M wire.Message](p peer) M {
	p.t.Helper()
	b, err := p.Read(p.ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	m, err := wire.ParseASAP(b)
	if err != nil {
		p.t.Fatal(err)
	}
	typed, ok := m.(M)
	if !ok {
		p.t.Fatalf("received %T, want %T", m, typed)
	}
	return typed
}

// user is a pool user with a key of these registrars.
func user(t *testing.T, change func(*Config), registrars ...netip.AddrPort) *User {
	t.Helper()
	cfg := Config{
		Dial: hunt.Dialer(transport.DialConfig{Identity: "pu-1", Keys: keys(t, "pu-1:"+goodKey)}, nil),
		Log:  slog.New(slog.DiscardHandler),
	}
	for _, at := range registrars {
		cfg.Registrars = append(cfg.Registrars, hunt.Registrar{Host: at.Addr().String(), Port: at.Port()})
	}
	if change != nil {
		change(&cfg)
	}
	u, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	return u
}

// background runs f, whose error the returned function waits for.
func background(t *testing.T, f func(context.Context) error) func() error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	t.Cleanup(cancel)
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	return func() error { return <-done }
}

// echo is an element: it serves until the test ends or it is stopped, and says
// its name to each connection.
type echo struct {
	net.Listener
	done chan struct{}
}

func newEcho(t *testing.T) *echo {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{l, make(chan struct{})}
	go func() {
		defer close(e.done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte(l.Addr().String()))
			conn.Close()
		}
	}()
	t.Cleanup(e.stop)
	return e
}

func (e *echo) stop() {
	e.Close()
	<-e.done
}

// as is the echo as element id.
func (e *echo) as(id wire.PEID, p wire.Policy) wire.PoolElement {
	at := netip.MustParseAddrPort(e.Addr().String())
	return wire.PoolElement{
		ID: id, Home: 0xf00d, Life: 600, Policy: p,
		User: wire.Transport{Protocol: wire.ProtocolTCP, Port: at.Port(), Addrs: []netip.Addr{at.Addr()}},
	}
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}
