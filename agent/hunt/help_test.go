// SPDX-License-Identifier: Apache-2.0

package hunt

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

var (
	errRefused = errors.New("refused")
	errNoName  = errors.New("no such name")
)

// network is what registrars do when they are dialed, and what it came to.
type network struct {
	t     *testing.T
	began time.Time
	does  map[string]behaviour // by address
	names map[string][]netip.Addr

	mu     sync.Mutex
	dialed []string // address and when
	under  int      // way
	most   int      // under way at once
	open   int      // sessions
}

// behaviour of a registrar: silent if zero.
type behaviour struct {
	after time.Duration
	err   error
	ok    bool
}

var (
	answers = behaviour{ok: true}
	refuses = behaviour{err: errRefused}
	silent  = behaviour{}
)

func (b behaviour) in(d time.Duration) behaviour { b.after = d; return b }

// session counts as open until it is closed.
type session struct{ n *network }

func (s *session) Close() error {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	s.n.open--
	return nil
}

func newNetwork(t *testing.T, does map[string]behaviour) *network {
	return &network{t: t, began: time.Now(), does: does, names: map[string][]netip.Addr{}}
}

func (n *network) dial(ctx context.Context, target Target) (*session, error) {
	host := target.Remote.Addr().String()
	n.count(host, 1)
	defer n.count("", -1)
	b := n.does[host]
	wait := make(<-chan time.Time) // for ever
	if b != silent {
		wait = time.After(b.after)
	}
	select {
	case <-wait:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if b.err != nil {
		return nil, b.err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.open++
	return &session{n}, nil
}

func (n *network) count(host string, by int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if host != "" {
		n.dialed = append(n.dialed, host+" "+time.Since(n.began).String())
	}
	n.under += by
	n.most = max(n.most, n.under)
}

func (n *network) lookup(_ context.Context, host string) ([]netip.Addr, error) {
	if addrs, ok := n.names[host]; ok {
		return addrs, nil
	}
	return nil, errNoName
}

func (n *network) hunter(hosts ...string) *Hunter[*session] {
	n.t.Helper()
	cfg := Config[*session]{Dial: n.dial, Lookup: n.lookup, Rand: rand.New(rand.NewPCG(1, 2))}
	for _, host := range hosts {
		cfg.Registrars = append(cfg.Registrars, Registrar{host, 3864})
	}
	h, err := New(cfg)
	if err != nil {
		n.t.Fatal(err)
	}
	return h
}

// wantDialed checks who was dialed when, and that nobody is any more.
func (n *network) wantDialed(want ...string) {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if !slices.Equal(n.dialed, want) {
		n.t.Errorf("dialed %q, want %q", n.dialed, want)
	}
	if n.under != 0 {
		n.t.Errorf("%d attempts are still under way", n.under)
	}
	n.dialed, n.began = nil, time.Now()
}

func (n *network) wantOpen(want int) {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.open != want {
		n.t.Errorf("%d sessions are open, want %d", n.open, want)
	}
}

func addrs(list ...string) []netip.Addr {
	var all []netip.Addr
	for _, s := range list {
		all = append(all, netip.MustParseAddr(s))
	}
	return all
}

func tcp(at string) Target {
	return Target{Protocol: wire.ProtocolTCP, Remote: netip.MustParseAddrPort(at)}
}
