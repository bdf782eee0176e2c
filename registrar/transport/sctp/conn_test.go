// SPDX-License-Identifier: Apache-2.0

package sctp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/test/require"
)

func TestMessagesStayWhole(t *testing.T) {
	client, server := pair(t)
	for _, n := range []int{1, 3, 4, 100, minRead - 1, minRead, minRead + 1, 1 << 14, 65535, MaxMessage} {
		send(t, client, pattern(n))
		send(t, client, []byte{9}) // does not join the one before
		for _, want := range [][]byte{pattern(n), {9}} {
			if got, err := server.ReadMessage(); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%d bytes arrive as %d, %v", len(want), len(got), err)
			}
		}
	}
}

func TestStreamOfMessages(t *testing.T) {
	client, server := pair(t)
	want := pattern(10_000)
	for part := range slices.Chunk(want, 999) {
		send(t, client, part)
	}
	var got []byte
	for i := 0; len(got) < len(want); i++ {
		p := make([]byte, 1+i%3*3000)
		n, err := server.Read(p)
		if err != nil || n == 0 {
			t.Fatal(n, err)
		}
		got = append(got, p[:n]...)
	}
	if !bytes.Equal(got, want) {
		t.Error("other bytes")
	}
}

func TestMessageThatIsTooLong(t *testing.T) {
	client, server := pair(t)
	send(t, client, pattern(MaxMessage+1))
	if _, err := server.ReadMessage(); !errors.Is(err, ErrTooLong) {
		t.Errorf("read: %v", err)
	}
	if _, err := client.ReadMessage(); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("the peer sees %v", err)
	}
}

// TestAnotherProtocol ends the association by an ABORT, as rsplib does.
func TestAnotherProtocol(t *testing.T) {
	for _, ppid := range []uint32{0, enrp, asap << 24} {
		client, server := pair(t)
		if err := client.WriteMessage(pattern(8), ppid); err != nil {
			t.Fatal(err)
		}
		if b, err := server.ReadMessage(); !errors.Is(err, ErrPPID) {
			t.Errorf("identifier %#x: %x, %v", ppid, b, err)
		}
		if _, err := client.ReadMessage(); !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("identifier %#x: the peer sees %v", ppid, err)
		}
	}
}

func TestEnds(t *testing.T) {
	t.Run("closed", func(t *testing.T) {
		client, server := pair(t)
		send(t, client, pattern(8))
		client.Close()
		if b, err := server.ReadMessage(); err != nil || len(b) != 8 {
			t.Fatal(b, err)
		}
		for range 2 {
			if b, err := server.ReadMessage(); !errors.Is(err, io.EOF) {
				t.Errorf("%x, %v", b, err)
			}
		}
	})
	t.Run("finished", func(t *testing.T) {
		client, server := pair(t)
		send(t, server, pattern(8))
		if err := client.Finish(); err != nil {
			t.Fatal(err)
		}
		if b, err := client.ReadMessage(); err != nil || len(b) != 8 {
			t.Fatal(b, err)
		}
		for _, c := range []*Conn{client, server} {
			if b, err := c.ReadMessage(); !errors.Is(err, io.EOF) {
				t.Errorf("%x, %v", b, err)
			}
		}
	})
	t.Run("aborted", func(t *testing.T) {
		client, server := pair(t)
		why := errors.New("why")
		if err := client.abort(why); !errors.Is(err, why) {
			t.Error(err)
		}
		if _, err := server.ReadMessage(); !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("read: %v", err)
		}
		if err := server.WriteMessage(pattern(8), asap); err == nil {
			t.Error("it can be written to")
		}
		if _, err := client.ReadMessage(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read: %v", err)
		}
	})
}

func TestDeadlinesOfReading(t *testing.T) {
	client, server := pair(t)
	if err := server.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := server.ReadMessage(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v", err)
	}
	if err := server.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	send(t, client, pattern(8))
	if b, err := server.ReadMessage(); err != nil || len(b) != 8 {
		t.Errorf("%x, %v", b, err)
	}
}

// fill writes until the peer's window and our buffer are full.
func fill(t *testing.T, c *Conn, longest time.Duration) error {
	t.Helper()
	if err := c.SetWriteDeadline(time.Now().Add(longest)); err != nil {
		t.Fatal(err)
	}
	for {
		if err := c.WriteMessage(pattern(60_000), asap); err != nil {
			return err
		}
	}
}

func TestDeadlinesOfWriting(t *testing.T) {
	client, server := pair(t)
	if err := fill(t, client, 300*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("write: %v", err)
	}
	// A message is sent whole or not at all, so that it can go on.
	if err := client.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	go func() { sent <- client.WriteMessage([]byte{9}, asap) }()
	for {
		b, err := server.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		if len(b) == 1 {
			break
		}
		if len(b) != 60_000 {
			t.Fatalf("a message of %d bytes", len(b))
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

// TestPeerThatTakesNothing is given up after 10 s, whatever the deadline.
func TestPeerThatTakesNothing(t *testing.T) {
	client, _ := pair(t)
	start := time.Now()
	if err := fill(t, client, time.Hour); !errors.Is(err, errStall) {
		t.Errorf("write: %v", err)
	}
	if took := time.Since(start); took < stall || took > 2*stall {
		t.Errorf("it took %v", took)
	}
}

func TestCloseEndsCalls(t *testing.T) {
	client, _ := pair(t)
	results := make(chan error, 2)
	go func() { _, err := client.ReadMessage(); results <- err }()
	go func() { results <- fill(t, client, time.Hour) }()
	time.AfterFunc(300*time.Millisecond, func() { client.Close() })
	for range 2 {
		if err := <-results; !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v", err)
		}
	}
	l := listenAt(t, 0, loopback4)
	time.AfterFunc(50*time.Millisecond, func() { l.Close() })
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept: %v", err)
	}
}

func TestAddressesOfAnAssociation(t *testing.T) {
	for _, tc := range []struct {
		name   string
		listen []netip.Addr
		dial   netip.Addr
	}{
		{"IPv4", []netip.Addr{loopback4}, loopback4},
		{"IPv6", []netip.Addr{loopback6}, loopback6},
		{"any IPv4", []netip.Addr{netip.IPv4Unspecified()}, loopback4},
		{"any, over IPv4", []netip.Addr{netip.IPv6Unspecified()}, loopback4},
		{"any, over IPv6", []netip.Addr{netip.IPv6Unspecified()}, loopback6},
		{"both", []netip.Addr{loopback4, loopback6}, loopback6},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Need(t, require.SCTP)
			l := listenAt(t, 0, tc.listen...)
			port := l.Addrs()[0].Port()
			client := dial(t, Endpoint{Addrs: []netip.Addr{tc.dial}}, Endpoint{[]netip.Addr{tc.dial}, port})
			server := accept(t, l)
			if !slices.Contains(client.RemoteAddrs(), netip.AddrPortFrom(tc.dial, port)) {
				t.Errorf("the client sees %v", client.RemoteAddrs())
			}
			if mine := client.LocalAddrs(); len(mine) != 1 || mine[0].Addr() != tc.dial || !slices.Equal(mine, server.RemoteAddrs()) {
				t.Errorf("the client is at %v, the server sees %v", mine, server.RemoteAddrs())
			}
			send(t, client, pattern(8))
			if b, err := server.ReadMessage(); err != nil || len(b) != 8 {
				t.Errorf("%x, %v", b, err)
			}
		})
	}
}

func TestDialEnds(t *testing.T) {
	require.Need(t, require.SCTP)
	l := listenAt(t, 0, loopback4)
	remote := l.endpoint()
	l.Close()
	if _, err := Dial(testContext(t), Endpoint{}, remote, nil); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("nobody listens: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	// Nothing comes from or goes to an address of the documentation.
	_, err := Dial(ctx, Endpoint{}, Endpoint{[]netip.Addr{netip.MustParseAddr("192.0.2.1")}, 1}, nil)
	if err == nil || time.Since(start) > patience/2 {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

// TestOneListener: the port can be dialed from, but not listened at again.
func TestOneListener(t *testing.T) {
	require.Need(t, require.SCTP)
	first, other := listenAt(t, 0, loopback4), listenAt(t, 0, loopback4)
	if l, err := Listen([]netip.Addr{loopback4}, first.addrs[0].Port(), nil); !errors.Is(err, unix.EADDRINUSE) {
		if err == nil {
			l.Close()
		}
		t.Errorf("a second listener: %v", err)
	}
	out := dial(t, first.endpoint(), other.endpoint())
	in := accept(t, other)
	if got := in.RemoteAddrs(); !slices.Equal(got, first.Addrs()) {
		t.Errorf("it comes from %v, want %v", got, first.Addrs())
	}
	send(t, out, pattern(8))
	if b, err := in.ReadMessage(); err != nil || len(b) != 8 {
		t.Errorf("%x, %v", b, err)
	}
	// The listener still gets its own.
	send(t, dial(t, Endpoint{}, first.endpoint()), pattern(9))
	if b, err := accept(t, first).ReadMessage(); err != nil || len(b) != 9 {
		t.Errorf("%x, %v", b, err)
	}
	// And a registrar that comes back finds its port.
	port := first.addrs[0].Port()
	first.Close()
	listenAt(t, port, loopback4)
}
