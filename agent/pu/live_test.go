// SPDX-License-Identifier: Apache-2.0

package pu

import (
	"context"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar"
	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/wire"
)

const (
	firstKey  = "1111111111111111111111111111111111"
	secondKey = "2222222222222222222222222222222222"
)

// serve runs a real registrar until the test ends, which knows pe-1, pe-2 and pu-1.
func serve(t testing.TB, change func(*registrar.Config)) *registrar.Registrar {
	t.Helper()
	cfg := registrar.Config{
		ASAP:      []registrar.Listener{{Addr: netip.MustParseAddrPort("127.0.0.1:0")}},
		ServerID:  0xf00d,
		Keys:      keys(t, "pe-1:"+firstKey+"\npe-2:"+secondKey+"\npu-1:"+goodKey),
		KeepAlive: registrar.KeepAlive{Interval: time.Hour, Timeout: time.Hour},
		Log:       slog.New(slog.DiscardHandler),
	}
	for _, name := range []string{"pe-1", "pe-2"} {
		cfg.Grants = append(cfg.Grants, registrar.Grant{
			Identity: name, Pools: []wire.PoolHandle{"web"}, Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
		})
	}
	if change != nil {
		change(&cfg)
	}
	r, err := registrar.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return r
}

// enrol registers an element, which answers nothing afterwards; it leaves when the session is closed.
func enrol(t testing.TB, at netip.AddrPort, identity, key string, e wire.PoolElement) *transport.Session {
	t.Helper()
	return enrolBy(t, transport.DialConfig{Remote: at, Identity: identity, Keys: keys(t, identity+":"+key)}, e)
}

func enrolBy(t testing.TB, d transport.DialConfig, e wire.PoolElement) *transport.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	s, err := transport.Dial(ctx, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	b, err := wire.AppendASAP(nil, &wire.Registration{Pool: "web", Element: e})
	if err == nil {
		err = s.Write(ctx, b)
	}
	if err == nil {
		b, err = s.Read(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	if m, err := wire.ParseASAP(b); err != nil || m.(*wire.RegistrationResponse).Reject {
		t.Fatalf("registration answered %+v, error %v", m, err)
	}
	return s
}

func TestAgainstTheRegistrar(t *testing.T) {
	r := serve(t, nil)
	first, second := newEcho(t), newEcho(t)
	u := user(t, func(c *Config) { c.Stale = 100 * time.Millisecond }, r.Addr())
	_, err := u.Resolve(t.Context(), "web")
	wantError(t, err, ErrUnknownPool)

	leaver := enrol(t, r.Addr(), "pe-1", firstKey, first.as(1, wire.WeightedRoundRobin(3)))
	enrol(t, r.Addr(), "pe-2", secondKey, second.as(2, wire.WeightedRoundRobin(1)))
	p, err := u.Resolve(t.Context(), "web")
	if err != nil || len(p.Elements) != 2 || p.Policy.Type != wire.PolicyWeightedRoundRobin {
		t.Fatalf("resolved %+v, error %v", p, err)
	}
	share := map[wire.PEID]int{}
	for range 8 {
		e, err := u.Select(t.Context(), "web")
		if err != nil {
			t.Fatal(err)
		}
		share[e.ID]++
	}
	if share[1] != 6 || share[2] != 2 {
		t.Errorf("shares %v, want 6 and 2", share)
	}

	// The first element leaves, and an update says so.
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	for p, err := range u.Watch(ctx, "web") {
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Elements) == 2 {
			leaver.Close()
			continue
		}
		if p.Elements[0].ID != 2 || !p.Live {
			t.Errorf("left is %v, by an update: %v; want 2 by one", p.Elements[0].ID, p.Live)
		}
		break
	}
	if ctx.Err() != nil {
		t.Error("the watch never saw the element leave")
	}
	conn, err := u.Dial(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := name(t, conn); got != second.Addr().String() {
		t.Errorf("connected to %s", got)
	}
}
