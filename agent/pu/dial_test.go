// SPDX-License-Identifier: Apache-2.0

package pu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-lb/weir/agent/control"
	"github.com/weir-lb/weir/registrar/wire"
)

// resolver answers each question for web with these elements, and tells of reports.
type resolver struct{ reports chan wire.PEID }

func newResolver() resolver { return resolver{make(chan wire.PEID, 100)} }

func (r resolver) serve(l scripted, elements ...wire.PoolElement) {
	p := l.accept()
	go func() {
		for {
			b, err := p.Read(p.ctx)
			if err != nil {
				return
			}
			switch m, _ := wire.ParseASAP(b); m := m.(type) {
			case *wire.HandleResolution:
				b, _ := wire.AppendASAP(nil, &wire.HandleResolutionResponse{Pool: m.Pool, Elements: elements})
				_ = p.Write(p.ctx, b)
			case *wire.EndpointUnreachable:
				r.reports <- m.PE
			}
		}
	}()
}

// want waits for these reports.
func (r resolver) want(t *testing.T, want ...wire.PEID) {
	t.Helper()
	for _, id := range want {
		select {
		case got := <-r.reports:
			if got != id {
				t.Errorf("reported %v, want %v", got, id)
			}
		case <-time.After(wait):
			t.Fatalf("%v is not reported", id)
		}
	}
	if len(r.reports) > 0 {
		t.Errorf("reported %v too", <-r.reports)
	}
}

// events records failovers as "1>2", and refuses the elements in no.
type events struct {
	mu   sync.Mutex
	list []string
	no   []wire.PEID
}

var errNoTrust = errors.New("no trust in it")

func (e *events) on(_ context.Context, f Failover) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, fmt.Sprintf("%d>%d", f.Old.ID, f.New.ID))
	if f.Reason == nil || f.Pool != "web" {
		e.list = append(e.list, fmt.Sprintf("incomplete: %+v", f))
	}
	if slices.Contains(e.no, f.New.ID) {
		return errNoTrust
	}
	return nil
}

func (e *events) want(t *testing.T, want ...string) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Equal(e.list, want) {
		t.Errorf("events %q, want %q", e.list, want)
	}
}

func name(t *testing.T, c *Conn) string {
	t.Helper()
	b, err := io.ReadAll(c)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

func TestDialGoesOnFromWhoCannotBeReached(t *testing.T) {
	l, r, seen := listen(t, "pu-1:"+goodKey), newResolver(), &events{no: []wire.PEID{2}}
	dead, distrusted, well := newEcho(t), newEcho(t), newEcho(t)
	rr := wire.RoundRobin()
	elements := []wire.PoolElement{dead.as(1, rr), distrusted.as(2, rr), well.as(3, rr)}
	dead.stop()
	u := user(t, func(c *Config) { c.OnFailover = seen.on; c.Stale = time.Hour }, l.Addr())
	var conn *Conn
	wait := background(t, func(ctx context.Context) (err error) { conn, err = u.Dial(ctx, "web"); return err })
	r.serve(l, elements...)
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := name(t, conn); conn.Element.ID != 3 || got != well.Addr().String() {
		t.Errorf("connected to %v, which is %s, want 3", conn.Element.ID, got)
	}
	seen.want(t, "1>2", "1>3")
	r.want(t, 1) // who was refused is no fault of its own
}

// recommend lets the element send a business card with these elements.
func recommend(t *testing.T, conn *Conn, ids ...wire.PEID) {
	t.Helper()
	card := wire.BusinessCard{Pool: "web"}
	for _, id := range ids {
		card.Elements = append(card.Elements, element(id, wire.RoundRobin()))
	}
	ofUser, ofElement := net.Pipe()
	channel, err := conn.Control().Open(t.Context(), ofUser)
	if err != nil {
		t.Fatal(err)
	}
	wait := background(t, channel.Serve)
	if _, err := control.Accept(t.Context(), ofElement, card); err != nil {
		t.Fatal(err)
	}
	ofElement.Close()
	if err := wait(); err != nil {
		t.Fatal(err)
	}
}

func TestFailover(t *testing.T) {
	l, r, seen := listen(t, "pu-1:"+goodKey), newResolver(), &events{}
	first, second, third := newEcho(t), newEcho(t), newEcho(t)
	rr := wire.RoundRobin()
	u := user(t, func(c *Config) { c.OnFailover = seen.on; c.Stale = time.Hour }, l.Addr())
	var conn *Conn
	wait := background(t, func(ctx context.Context) (err error) { conn, err = u.Dial(ctx, "web"); return err })
	r.serve(l, first.as(1, rr), second.as(2, rr), third.as(3, rr))
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	recommend(t, conn, 9, 3)
	conn, err := conn.Failover(t.Context(), errCut)
	if err != nil || conn.Element.ID != 3 {
		t.Fatalf("failed over to %+v, error %v, want 3: the business card's", conn, err)
	}
	third.stop()
	recommend(t, conn)
	conn, err = conn.Failover(t.Context(), errCut)
	if err != nil || conn.Element.ID != 2 {
		t.Fatalf("failed over to %+v, error %v, want 2: 1 has failed before", conn, err)
	}
	second.stop()
	first.stop()
	_, err = conn.Failover(t.Context(), errCut)
	wantError(t, err, ErrNoElement)
	if want := `no element of pool "web" is left: element 0x00000003: `; err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v, want %s…", err, want)
	}
	seen.want(t, "1>3", "3>2", "2>3", "3>1")
	r.want(t, 1, 3, 2)
}

func TestDialEndsWithItsContext(t *testing.T) {
	l, r := listen(t, "pu-1:"+goodKey), newResolver()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	u := user(t, func(c *Config) {
		c.Connect = func(ctx context.Context, _ wire.PoolElement) (net.Conn, error) { cancel(); return nil, ctx.Err() }
	}, l.Addr())
	wait := background(t, func(context.Context) error { _, err := u.Dial(ctx, "web"); return err })
	r.serve(l, element(1, wire.RoundRobin()))
	wantError(t, wait(), context.Canceled)
}

func TestOtherProtocolsNeedConnect(t *testing.T) {
	l, r := listen(t, "pu-1:"+goodKey), newResolver()
	u := user(t, nil, l.Addr())
	e := element(1, wire.RoundRobin())
	e.User.Protocol = wire.ProtocolSCTP
	wait := background(t, func(ctx context.Context) error { _, err := u.Dial(ctx, "web"); return err })
	r.serve(l, e)
	if err := wait(); err == nil || !strings.Contains(err.Error(), "it serves sctp: set Connect to reach it") {
		t.Errorf("error %v", err)
	}
}
