// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/transport/psk"
	"github.com/weir-lb/weir/registrar/wire"
)

const serverID = wire.ServerID(0xf00d)

// keyFile has a key for each identity; it can be written again.
type keyFile string

func newKeyFile(t testing.TB, identities ...string) keyFile {
	t.Helper()
	f := keyFile(filepath.Join(t.TempDir(), "keys"))
	f.write(t, identities...)
	return f
}

func (f keyFile) write(t testing.TB, identities ...string) {
	t.Helper()
	var b strings.Builder
	for i, name := range identities {
		b.WriteString(name + ":" + strings.Repeat(string(rune('a'+i%6)), 32) + "\n")
	}
	if err := os.WriteFile(string(f), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (f keyFile) load(t testing.TB) *psk.Keys {
	t.Helper()
	keys, err := psk.LoadKeys(string(f))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// observer records what a registrar tells, as lines; a line waits in the channel until the test takes it.
type observer struct {
	lines chan string
	sleep chan time.Duration // the next change blocks the loop, as it must not
	ask   chan func()        // what the next change does
}

func newObserver() *observer {
	return &observer{lines: make(chan string, 10_000), sleep: make(chan time.Duration, 1), ask: make(chan func(), 1)}
}

func (o *observer) PoolChanged(p *handlespace.Pool, departed []handlespace.Departure) {
	select {
	case d := <-o.sleep:
		time.Sleep(d)
	case f := <-o.ask:
		f()
	default:
	}
	line := string(p.Handle()) + ":"
	for e := range p.All() {
		line += " " + e.ID.String()[8:] + " " + e.State.String()
	}
	for _, d := range departed {
		line += " " + d.Element.ID.String()[8:] + " " + d.Reason.String()
	}
	o.lines <- line
}

func (o *observer) Synchronised() {}

// want takes the next lines, and checks them.
func (o *observer) want(t *testing.T, lines ...string) {
	t.Helper()
	for _, want := range lines {
		select {
		case got := <-o.lines:
			if got != want {
				t.Fatalf("observed %q, want %q", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("nothing observed, want %q", want)
		}
	}
}

func (o *observer) wantNothingMore(t *testing.T) {
	t.Helper()
	select {
	case got := <-o.lines:
		t.Errorf("observed %q, want nothing more", got)
	default:
	}
}

// gate records who is let through, and until when.
type gate struct {
	mu     sync.Mutex
	admits int
	open   map[netip.AddrPort]time.Time
	broken bool
}

func newGate() *gate { return &gate{open: map[netip.AddrPort]time.Time{}} }

func (g *gate) Admit(_ netip.AddrPort, peers []netip.AddrPort, until time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.broken {
		return errors.New("the map is full")
	}
	g.admits++
	for _, p := range peers {
		g.open[p] = until
	}
	return nil
}

func (g *gate) Revoke(_ netip.AddrPort, peers []netip.AddrPort) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range peers {
		delete(g.open, p)
	}
	return nil
}

// expiry is when the gate closes for a peer; the zero time if it is closed.
func (g *gate) expiry(p netip.AddrPort) time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open[p]
}

func (g *gate) len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.open)
}

func testConfig(keys *psk.Keys, o *observer, g *gate) Config {
	return Config{
		ASAP: []Listener{{Addr: netip.MustParseAddrPort("127.0.0.1:0")}}, ServerID: serverID, Keys: keys,
		Grants: []Grant{grant("pe-1"), grant("pe-2")},
		Grace:  2 * time.Second, KeepAlive: KeepAlive{Interval: 10 * time.Second, Timeout: 3 * time.Second},
		Gate: g, Observer: o, Log: slog.New(slog.DiscardHandler),
	}
}

// grant is for the pool web and 10.0.0.0/24.
func grant(identity string) Grant {
	return Grant{
		Identity: identity, Pools: []wire.PoolHandle{"web"},
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")},
	}
}

func registration(pool wire.PoolHandle, id wire.PEID, addr string) *wire.Registration {
	return &wire.Registration{Pool: pool, Element: wire.PoolElement{
		ID: id, Life: wire.LifeInfinite, Policy: wire.RoundRobin(),
		User: wire.Transport{Protocol: wire.ProtocolTCP, Port: 80, Addrs: []netip.Addr{netip.MustParseAddr(addr)}},
	}}
}
