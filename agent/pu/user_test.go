// SPDX-License-Identifier: Apache-2.0

package pu

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

func TestResolveAsksOnceWhileTheAnswerIsFresh(t *testing.T) {
	l := listen(t, "pu-1:"+goodKey)
	u := user(t, func(c *Config) { c.Stale = time.Hour }, l.Addr())
	var got Pool
	resolve := func(ctx context.Context) (err error) { got, err = u.Resolve(ctx, "web"); return err }
	wait := background(t, resolve)
	p := l.accept()
	if q := receive[*wire.HandleResolution](p); q.Pool != "web" || q.Subscribe || q.Items == nil || *q.Items != wire.AllItems {
		t.Errorf("asked %+v", q)
	}
	p.send(response("web", false, 1, 2))
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	if len(got.Elements) != 2 || got.Policy.Type != wire.PolicyRoundRobin || got.Live || got.At.IsZero() {
		t.Errorf("got %+v", got)
	}
	if err := resolve(t.Context()); err != nil {
		t.Error(err)
	}
	wait = background(t, func(ctx context.Context) error { _, err := u.Resolve(ctx, "other"); return err })
	if q := receive[*wire.HandleResolution](p); q.Pool != "other" { // and not web a second time
		t.Errorf("asked for %q", q.Pool)
	}
	p.send(negative("other", wire.CauseUnknownPoolHandle))
	wantError(t, wait(), ErrUnknownPool)
}

// C2 and C3 of RFC 5352 3.3.
func TestStaleAnswerIsReplaced(t *testing.T) {
	l := listen(t, "pu-1:"+goodKey)
	u := user(t, func(c *Config) { c.Stale = time.Nanosecond }, l.Addr())
	var got Pool
	resolve := func(ctx context.Context) (err error) { got, err = u.Resolve(ctx, "web"); return err }
	wait := background(t, resolve)
	p := l.accept()
	receive[*wire.HandleResolution](p)
	p.send(response("web", false, 1))
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	wait = background(t, resolve)
	receive[*wire.HandleResolution](p)
	p.send(response("web", false, 2))
	if err := wait(); err != nil || got.Elements[0].ID != 2 {
		t.Errorf("got %v, error %v, want the newer answer", got.Elements, err)
	}
	// Nobody answers: the stale one, after a moment, and long before T1.
	if err := background(t, resolve)(); err != nil || got.Elements[0].ID != 2 {
		t.Errorf("got %v, error %v, want the stale answer", got.Elements, err)
	}
}

func TestSelectAndReport(t *testing.T) {
	l := listen(t, "pu-1:"+goodKey)
	u := user(t, func(c *Config) { c.Stale = time.Hour }, l.Addr())
	var chosen wire.PoolElement
	wait := background(t, func(ctx context.Context) (err error) { chosen, err = u.Select(ctx, "web"); return err })
	p := l.accept()
	receive[*wire.HandleResolution](p)
	p.send(response("web", false, 1, 2))
	if err := wait(); err != nil || chosen.ID != 1 {
		t.Fatalf("chose %v, error %v", chosen.ID, err)
	}
	for range 5 { // of one failure one report
		if err := u.ReportUnreachable(t.Context(), "web", 1); err != nil {
			t.Fatal(err)
		}
	}
	if r := receive[*wire.EndpointUnreachable](p); r.Pool != "web" || r.PE != 1 {
		t.Errorf("reported %+v", r)
	}
	for range 3 {
		if e, err := u.Select(t.Context(), "web"); err != nil || e.ID != 2 {
			t.Errorf("chose %v, error %v, want 2", e.ID, err)
		}
	}
	if err := u.ReportUnreachable(t.Context(), "web", 7); err == nil {
		t.Error("an element that was never given out is reported")
	}
	wait = background(t, func(ctx context.Context) error { _, err := u.Resolve(ctx, "other"); return err })
	receive[*wire.HandleResolution](p) // and no second report
	p.send(response("other", false, 1))
	if err := wait(); err != nil {
		t.Error(err)
	}
}

func TestWatchSeesEachChangeOnce(t *testing.T) {
	l := listen(t, "pu-1:"+goodKey)
	u := user(t, nil, l.Addr())
	type sight struct {
		n    int
		live bool
		err  error
	}
	sights := make(chan sight)
	wait := background(t, func(ctx context.Context) error {
		for pool, err := range u.Watch(ctx, "web") {
			sights <- sight{len(pool.Elements), pool.Live, err}
			if len(pool.Elements) == 3 {
				return nil
			}
		}
		return errors.New("the watch has ended")
	})
	want := func(s sight) {
		t.Helper()
		if got := <-sights; got.n != s.n || got.live != s.live || !errors.Is(got.err, s.err) {
			t.Errorf("saw %+v, want %+v", got, s)
		}
	}
	p := l.accept()
	if q := receive[*wire.HandleResolution](p); !q.Subscribe {
		t.Error("asked without the S flag")
	}
	p.send(response("web", true, 1))
	want(sight{1, true, nil})
	p.send(response("web", true, 1))
	p.send(response("web", true, 1, 2))
	want(sight{2, true, nil})
	p.send(response("web", true, 2, 1)) // the same in another order
	p.Close()
	p = l.accept() // a new session: subscribed again
	if q := receive[*wire.HandleResolution](p); !q.Subscribe {
		t.Error("asked the new registrar without the S flag")
	}
	p.send(negative("web", wire.CauseUnknownPoolHandle))
	want(sight{0, false, ErrUnknownPool})
	p.send(response("web", true, 1, 2, 3))
	want(sight{3, true, nil})
	if err := wait(); err != nil {
		t.Error(err)
	}
}

func TestNextRegistrarWhenOneIsNotItself(t *testing.T) {
	impostor, l := listen(t, "pu-1:"+otherKey), listen(t, "pu-1:"+goodKey)
	u := user(t, nil, impostor.Addr(), l.Addr())
	wait := background(t, func(ctx context.Context) error { _, err := u.Resolve(ctx, "web"); return err })
	p := l.accept()
	receive[*wire.HandleResolution](p)
	p.send(response("web", false, 1))
	if err := wait(); err != nil {
		t.Error(err)
	}
}

func TestNoRegistrar(t *testing.T) {
	impostor := listen(t, "pu-1:"+otherKey)
	u := user(t, nil, impostor.Addr())
	_, err := u.Resolve(t.Context(), "web")
	const want = `resolve "web": no registrar serves us: `
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want %s…", err, want)
	}
}

func TestContextAndCloseEndAResolution(t *testing.T) {
	l := listen(t, "pu-1:"+goodKey)
	u := user(t, nil, l.Addr())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := u.Resolve(ctx, "web")
	wantError(t, err, context.DeadlineExceeded)

	wait := background(t, func(ctx context.Context) error { _, err := u.Resolve(ctx, "web"); return err })
	receive[*wire.HandleResolution](l.accept())
	u.Close()
	wantError(t, wait(), ErrClosed)
	_, err = u.Resolve(t.Context(), "other")
	wantError(t, err, ErrClosed)
}

func TestMalformedMessagesAreReported(t *testing.T) {
	l := listen(t, "pu-1:"+goodKey)
	u := user(t, nil, l.Addr())
	wait := background(t, func(ctx context.Context) error { _, err := u.Resolve(ctx, "web"); return err })
	p := l.accept()
	receive[*wire.HandleResolution](p)
	if err := p.Write(p.ctx, []byte{0x40, 0, 0, 4}); err != nil { // an unknown message that asks for a report
		t.Fatal(err)
	}
	if m := receive[*wire.ErrorMessage](p); m.Causes[0].Code != wire.CauseUnrecognizedMessage {
		t.Errorf("reported %+v", m)
	}
	p.send(response("web", false, 1))
	if err := wait(); err != nil {
		t.Error(err)
	}
}

func TestFaultyArguments(t *testing.T) {
	l := listen(t, "pu-1:"+goodKey)
	u := user(t, nil, l.Addr())
	for _, pool := range []wire.PoolHandle{"", wire.PoolHandle(strings.Repeat("x", maxPoolHandle+1))} {
		if _, err := u.Resolve(t.Context(), pool); err == nil {
			t.Errorf("a pool handle of %d bytes is taken", len(pool))
		}
		for _, err := range u.Watch(t.Context(), pool) {
			if err == nil {
				t.Errorf("a pool handle of %d bytes is watched", len(pool))
			}
		}
	}
	for _, cfg := range []Config{{}, {Stale: -1}} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}
