// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/transport/psk"
	"github.com/weir-lb/weir/registrar/wire"
)

// live is a registrar on the loopback interface, with TLS.
type live struct {
	*Registrar
	t        *testing.T
	ctx      context.Context
	file     keyFile
	keys     *psk.Keys // the registrar's
	observer *observer
	gate     *gate
}

func serveTLS(t *testing.T, change ...func(*Config)) *live {
	t.Helper()
	file := newKeyFile(t, "pe-1", "pe-2", "pe-3")
	s := &live{t: t, file: file, keys: file.load(t), observer: newObserver(), gate: newGate()}
	cfg := testConfig(s.keys, s.observer, s.gate)
	for _, f := range change {
		f(&cfg)
	}
	var err error
	if s.Registrar, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(context.Background(), patience)
	s.ctx = ctx
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close after Run: %v", err)
		}
	})
	return s
}

// element is a pool element's side of a session.
type element struct {
	*transport.Session
	live *live
}

func (s *live) dial(identity string) element {
	s.t.Helper()
	session, err := transport.Dial(s.ctx, transport.DialConfig{
		Remote: s.Addr(), Identity: identity, Keys: newKeyFile(s.t, "pe-1", "pe-2", "pe-3").load(s.t),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { session.Close() })
	return element{session, s}
}

func (e element) send(m wire.Message) {
	e.live.t.Helper()
	b, err := wire.AppendASAP(nil, m)
	if err == nil {
		err = e.Write(e.live.ctx, b)
	}
	if err != nil {
		e.live.t.Fatal(err)
	}
}

func (e element) receive() wire.Message {
	e.live.t.Helper()
	b, err := e.Read(e.live.ctx)
	if err != nil {
		e.live.t.Fatal(err)
	}
	m, err := wire.ParseASAP(b)
	if err != nil {
		e.live.t.Fatal(err)
	}
	return m
}

// ask sends a request and checks the answer.
func (e element) ask(m, want wire.Message) {
	e.live.t.Helper()
	e.send(m)
	if got := e.receive(); !reflect.DeepEqual(got, want) {
		e.live.t.Errorf("%v is answered\n  %+v, want\n  %+v", m.Type(), got, want)
	}
}

// enrol registers 10.0.0.<id> in web.
func (e element) enrol(id wire.PEID) {
	e.live.t.Helper()
	addr := netip.AddrFrom4([4]byte{10, 0, 0, byte(id)}).String()
	e.ask(registration("web", id, addr), &wire.RegistrationResponse{Pool: "web", PE: id})
}

// wantClosed reads until the registrar has closed the session.
func (e element) wantClosed() {
	e.live.t.Helper()
	for {
		switch _, err := e.Read(e.live.ctx); {
		case err == nil:
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return
		default:
			e.live.t.Fatalf("read: %v, want the end of the session", err)
		}
	}
}

func security() []wire.ErrorCause { return []wire.ErrorCause{{Code: wire.CauseSecurity}} }

// refusals is a log of which only the refused connections matter.
type refusals chan struct{}

func (refusals) Enabled(context.Context, slog.Level) bool { return true }

func (r refusals) WithAttrs([]slog.Attr) slog.Handler { return r }

func (r refusals) WithGroup(string) slog.Handler { return r }

func (r refusals) Handle(_ context.Context, record slog.Record) error {
	if record.Message == "connection refused" {
		r <- struct{}{}
	}
	return nil
}

func (r refusals) wait(t *testing.T) {
	t.Helper()
	select {
	case <-r:
	case <-time.After(patience):
		t.Fatal("nobody was refused")
	}
}
