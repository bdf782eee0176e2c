// SPDX-License-Identifier: Apache-2.0

package sctp

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/weir-lb/weir/test/require"
)

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

const (
	asap = 11
	enrp = 12
)

var (
	loopback4 = netip.MustParseAddr("127.0.0.1")
	loopback6 = netip.MustParseAddr("::1")
)

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func listenAt(t testing.TB, port uint16, addrs ...netip.Addr) *Listener {
	t.Helper()
	l, err := Listen(addrs, port, []uint32{asap})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func accept(t testing.TB, l *Listener) *Conn {
	t.Helper()
	stop := time.AfterFunc(patience, func() { l.Close() })
	defer stop.Stop()
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c, err := in.Conn()
	if err != nil {
		t.Fatal(err)
	}
	guard(t, c)
	return c
}

func dial(t testing.TB, local, remote Endpoint) *Conn {
	t.Helper()
	c, err := Dial(testContext(t), local, remote, []uint32{asap})
	if err != nil {
		t.Fatal(err)
	}
	guard(t, c)
	return c
}

// guard ends what hangs.
func guard(t testing.TB, c *Conn) {
	t.Helper()
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
}

func (l *Listener) endpoint() Endpoint {
	e := Endpoint{Port: l.addrs[0].Port()}
	for _, a := range l.addrs {
		e.Addrs = append(e.Addrs, a.Addr())
	}
	return e
}

// pair returns both ends of an association over the loopback interface.
func pair(t testing.TB) (client, server *Conn) {
	t.Helper()
	require.Need(t, require.SCTP)
	l := listenAt(t, 0, loopback4)
	client = dial(t, Endpoint{}, l.endpoint())
	return client, accept(t, l)
}

func send(t testing.TB, c *Conn, message []byte) {
	t.Helper()
	if err := c.WriteMessage(message, asap); err != nil {
		t.Fatal(err)
	}
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}
