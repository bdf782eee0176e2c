// SPDX-License-Identifier: Apache-2.0

package sctp

import (
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/test/lab"
	"github.com/weir-lb/weir/test/require"
)

// network is two hosts with two links between them.
type network struct {
	a, b *lab.Node
}

var (
	addrsOfA = []netip.Addr{netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("10.2.0.1")}
	addrsOfB = []netip.Addr{netip.MustParseAddr("10.1.0.2"), netip.MustParseAddr("10.2.0.2")}
)

func twoLinks(t *testing.T, name string) network {
	t.Helper()
	require.Need(t, require.SCTP, require.Root, require.NetNS)
	l, err := lab.New(name, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var n network
	for _, node := range []struct {
		name string
		to   **lab.Node
	}{{"a", &n.a}, {"b", &n.b}} {
		if *node.to, err = l.Node(node.name); err != nil {
			t.Fatal(err)
		}
	}
	for i, ifname := range []string{"one", "two"} {
		err := l.Link(
			lab.End{Node: n.a, Name: ifname, Addr: netip.PrefixFrom(addrsOfA[i], 24)},
			lab.End{Node: n.b, Name: ifname, Addr: netip.PrefixFrom(addrsOfB[i], 24)})
		if err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// in runs f on a node.
func in[T any](t *testing.T, n *lab.Node, f func() (T, error)) (v T, err error) {
	t.Helper()
	if inside := n.Do(func() error { v, err = f(); return nil }); inside != nil {
		t.Fatal(inside)
	}
	return v, err
}

func must[T any](t *testing.T, n *lab.Node, f func() (T, error)) T {
	t.Helper()
	v, err := in(t, n, f)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// associate connects a to b, with both addresses of each.
func (n network) associate(t *testing.T) (a, b *Conn) {
	t.Helper()
	l := must(t, n.b, func() (*Listener, error) { return Listen(addrsOfB, 0, []uint32{asap}) })
	t.Cleanup(func() { l.Close() })
	a = must(t, n.a, func() (*Conn, error) {
		return Dial(testContext(t), Endpoint{Addrs: addrsOfA}, l.endpoint(), []uint32{asap})
	})
	guard(t, a)
	return a, accept(t, l)
}

func cut(t *testing.T, n *lab.Node, ifname string) {
	t.Helper()
	if err := n.SetLink(ifname, false); err != nil {
		t.Fatal(err)
	}
}

func addrsOf(list []netip.AddrPort) (addrs []netip.Addr) {
	for _, a := range list {
		addrs = append(addrs, a.Addr())
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return addrs
}

func TestTwoPaths(t *testing.T) {
	n := twoLinks(t, "sctp-paths")
	a, b := n.associate(t)
	for name, got := range map[string][2][]netip.AddrPort{
		"a": {a.LocalAddrs(), b.RemoteAddrs()}, "b": {b.LocalAddrs(), a.RemoteAddrs()},
	} {
		want := map[string][]netip.Addr{"a": addrsOfA, "b": addrsOfB}[name]
		if !slices.Equal(addrsOf(got[0]), want) || !slices.Equal(addrsOf(got[1]), want) {
			t.Errorf("%s is at %v and is seen at %v", name, got[0], got[1])
		}
	}
	// A path is used only after it has answered a heartbeat.
	time.Sleep(3 * rtoMax)
	cut(t, n.b, "one")
	start := time.Now()
	send(t, a, pattern(8))
	if m, err := b.ReadMessage(); err != nil || len(m) != 8 {
		t.Fatal(m, err)
	}
	t.Logf("over the other path after %v", time.Since(start))
	if took := time.Since(start); took > 8*time.Second {
		t.Errorf("the other path took %v", took)
	}
}

// TestConnectOverTheOtherAddress: the first address of the peer is dead.
func TestConnectOverTheOtherAddress(t *testing.T) {
	n := twoLinks(t, "sctp-other")
	l := must(t, n.b, func() (*Listener, error) { return Listen(addrsOfB, 0, []uint32{asap}) })
	defer l.Close()
	cut(t, n.b, "one")
	start := time.Now()
	a := must(t, n.a, func() (*Conn, error) {
		return Dial(testContext(t), Endpoint{Addrs: addrsOfA}, l.endpoint(), []uint32{asap})
	})
	guard(t, a)
	t.Logf("connected after %v", time.Since(start))
	send(t, a, pattern(8))
	if m, err := accept(t, l).ReadMessage(); err != nil || len(m) != 8 {
		t.Error(m, err)
	}
}

func TestDeadPeer(t *testing.T) {
	for _, tc := range []struct {
		name  string
		write bool
		limit time.Duration
	}{
		{"with data", true, 15 * time.Second},
		{"idle", false, 25 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := twoLinks(t, "sctp-dead")
			a, _ := n.associate(t)
			if err := a.SetReadDeadline(time.Now().Add(2 * tc.limit)); err != nil {
				t.Fatal(err)
			}
			cut(t, n.b, "one")
			cut(t, n.b, "two")
			start := time.Now()
			if tc.write {
				send(t, a, pattern(8))
			}
			_, err := a.ReadMessage()
			t.Logf("%v after %v", err, time.Since(start))
			if !errors.Is(err, unix.ETIMEDOUT) || time.Since(start) > tc.limit {
				t.Errorf("%v after %v", err, time.Since(start))
			}
		})
	}
}

// TestPeerThatBeginsAnew: it loses the association without a word, and dials from
// the same port. The old session ends, and the new one is not mistaken for it.
func TestPeerThatBeginsAnew(t *testing.T) {
	n := twoLinks(t, "sctp-anew")
	l := must(t, n.b, func() (*Listener, error) { return Listen(addrsOfB[:1], 0, []uint32{asap}) })
	defer l.Close()
	local := Endpoint{addrsOfA[:1], 9901}
	dialed := func() (*Conn, error) { return Dial(testContext(t), local, l.endpoint(), []uint32{asap}) }
	first := must(t, n.a, dialed)
	guard(t, first)
	old := accept(t, l)
	cut(t, n.a, "one")
	_ = first.abort(nil)
	if err := n.a.SetLink("one", true); err != nil {
		t.Fatal(err)
	}
	second, err := in(t, n.a, dialed)
	if m, err := old.ReadMessage(); !errors.Is(err, errRestart) {
		t.Errorf("the old association: %x, %v", m, err)
	}
	if err == nil {
		guard(t, second)
		if _, err := second.ReadMessage(); !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("the new one: %v", err)
		}
	}
	// Now the peer is free to connect.
	third := must(t, n.a, dialed)
	guard(t, third)
	send(t, third, pattern(9))
	if m, err := accept(t, l).ReadMessage(); err != nil || len(m) != 9 {
		t.Error(m, err)
	}
}

// TestBothDialAtOnce, each from the port at which it listens: one association
// comes of it. Either both INITs collide and both have dialed it (RFC 9260 5.2.1),
// or one was faster, and the other's Dial says so. Rarely the kernel takes the
// later INIT for a peer that begins anew (5.2.4): then no association is left, and
// both ends know. More rarely a dial times out. Who wants an association dials again.
func TestBothDialAtOnce(t *testing.T) {
	n := twoLinks(t, "sctp-both")
	const rounds = 20
	left := 0
	for i := range uint16(rounds) {
		if bothDial(t, n, 9901+i) {
			left++
		}
	}
	if left < rounds*3/4 {
		t.Errorf("an association was left %d times of %d", left, rounds)
	}
}

// bothDial tells whether the one association was left; a port has one round, so
// that none sees what another has left.
func bothDial(t *testing.T, n network, port uint16) bool {
	t.Helper()
	listen := func(addr netip.Addr) func() (*Listener, error) {
		return func() (*Listener, error) { return Listen([]netip.Addr{addr}, port, []uint32{asap}) }
	}
	la, lb := must(t, n.a, listen(addrsOfA[0])), must(t, n.b, listen(addrsOfB[0]))
	defer la.Close()
	defer lb.Close()
	type end struct {
		c   *Conn
		err error
	}
	dial := func(node *lab.Node, from, to *Listener, out chan<- end) {
		c, err := in(t, node, func() (*Conn, error) {
			return Dial(testContext(t), from.endpoint(), to.endpoint(), []uint32{asap})
		})
		out <- end{c, err}
	}
	dialedA, dialedB := make(chan end, 1), make(chan end, 1)
	go dial(n.b, lb, la, dialedB)
	dial(n.a, la, lb, dialedA)
	a, b := <-dialedA, <-dialedB
	switch {
	case a.err == nil && b.err == nil:
		t.Log("both dialed")
	case a.err == nil && errors.Is(b.err, ErrAssociated):
		b.c = accept(t, lb)
	case errors.Is(a.err, ErrAssociated) && b.err == nil:
		a.c = accept(t, la)
	default:
		t.Logf("a: %v, b: %v", a.err, b.err)
		for _, e := range []end{a, b} {
			if e.err == nil {
				e.c.Close()
			}
		}
		return false
	}
	defer a.c.Close()
	defer b.c.Close()
	for _, way := range [][2]*Conn{{a.c, b.c}, {b.c, a.c}} {
		guard(t, way[0])
		guard(t, way[1])
		sent := way[0].WriteMessage(pattern(8), asap)
		m, err := way[1].ReadMessage()
		if errors.Is(err, errRestart) {
			if _, err := way[0].ReadMessage(); err == nil {
				t.Fatal("one end has ended, and the other does not know")
			}
			return false
		}
		if sent != nil || err != nil || len(m) != 8 {
			t.Fatalf("%v, %x, %v", sent, m, err)
		}
	}
	a.c.Close()
	if _, err := b.c.ReadMessage(); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return true
}
