// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-lb/weir/agent/hunt"
	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/transport/psk"
	"github.com/weir-lb/weir/registrar/wire"
)

const (
	goodKey  = "000102030405060708090a0b0c0d0e0f"
	wrongKey = "ffffffffffffffffffffffffffffffff"
	// patience is far longer than anything here takes; only a fault waits it out.
	patience = 20 * time.Second
)

func keys(t *testing.T, lines ...string) *psk.Keys {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := psk.LoadKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// scripted is a registrar that says only what the test tells it to.
type scripted struct {
	t        *testing.T
	listener *transport.Listener
}

func serve(t *testing.T, at string) *scripted {
	t.Helper()
	l, err := transport.Listen(t.Context(), transport.ListenConfig{
		Addr:               netip.MustParseAddrPort(at),
		Keys:               keys(t, "pe-1:"+goodKey),
		HandshakeTimeout:   patience,
		MaxUnauthenticated: 8,
		OnRefused:          func(transport.Refusal) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &scripted{t, l}
}

func (s *scripted) addr() netip.AddrPort { return s.listener.Addr() }

// accept waits for the element to dial in.
func (s *scripted) accept() *peer {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	session, err := s.listener.Accept(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { session.Close() })
	return &peer{s.t, session}
}

// peer is the scripted registrar's end of a session.
type peer struct {
	t       *testing.T
	session *transport.Session
}

func (p *peer) send(m wire.Message) {
	p.t.Helper()
	b, err := wire.AppendASAP(nil, m)
	if err != nil {
		p.t.Fatal(err)
	}
	p.sendRaw(b)
}

func (p *peer) sendRaw(b []byte) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	if err := p.session.Write(ctx, b); err != nil {
		p.t.Fatal(err)
	}
}

// receive waits for one message, which must be an M.
func receive[M wire.Message](p *peer) M {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	b, err := p.session.Read(ctx)
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

// enrol accepts a session and grants the registration that comes on it.
func (s *scripted) enrol() *peer {
	s.t.Helper()
	p := s.accept()
	p.grant()
	return p
}

func (p *peer) grant() {
	p.t.Helper()
	r := receive[*wire.Registration](p)
	p.send(&wire.RegistrationResponse{Pool: r.Pool, PE: r.Element.ID})
}

// grantLeave answers the deregistration that must come next.
func (p *peer) grantLeave() {
	p.t.Helper()
	d := receive[*wire.Deregistration](p)
	p.send(&wire.DeregistrationResponse{Pool: d.Pool, PE: d.PE})
}

// syncBuffer is a log that a test may read while the element writes it.
type syncBuffer struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.Write(p)
}

func (b *syncBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.String()
}

// element is Run in a goroutine.
type element struct {
	t     *testing.T
	log   syncBuffer
	stop  context.CancelFunc
	ended chan error
}

func start(t *testing.T, change func(*Config), registrars ...netip.AddrPort) *element {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	e := &element{t: t, stop: stop, ended: make(chan error, 1)}
	cfg := Config{
		Pool:          testPool,
		ID:            testID,
		Life:          10 * time.Minute,
		User:          wire.Transport{Protocol: wire.ProtocolTCP, Port: 8080, Addrs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}},
		Policy:        wire.RoundRobin(),
		Identity:      "pe-1",
		Keys:          keys(t, "pe-1:"+goodKey),
		CheckInterval: 10 * time.Millisecond,
		Log:           slog.New(slog.NewTextHandler(&e.log, nil)),
	}
	for _, at := range registrars {
		cfg.Registrars = append(cfg.Registrars, hunt.Registrar{Host: at.Addr().String(), Port: at.Port()})
	}
	if change != nil {
		change(&cfg)
	}
	hurry := func() {}
	if cfg.Again == nil { // a failed test must not wait for T3
		again := make(chan struct{})
		cfg.Again, hurry = again, func() { close(again) }
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.ended <- Run(ctx, cfg)
	}()
	t.Cleanup(func() {
		stop()
		hurry()
		<-done
		if t.Failed() {
			t.Logf("the element's log:\n%s", e.log.String())
		}
	})
	return e
}

// wait is how Run ended.
func (e *element) wait() error {
	e.t.Helper()
	select {
	case err := <-e.ended:
		return err
	case <-time.After(patience):
		e.t.Fatalf("Run does not end; its log:\n%s", e.log.String())
		return nil
	}
}
