// SPDX-License-Identifier: Apache-2.0

package psk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// connected returns both ends after a handshake, with small socket buffers.
func connected(t testing.TB, v Version) (c, s *Conn) {
	t.Helper()
	client, server := pipe(t)
	for _, conn := range []net.Conn{client, server} {
		if err := conn.(*net.TCPConn).SetWriteBuffer(64 << 10); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
			t.Fatal(err)
		}
	}
	keys := loadKeys(t, "pe-1:"+keyA)
	c = Client(client, Config{Keys: keys, Identity: "pe-1", MinVersion: v, MaxVersion: v})
	s = Server(server, Config{Keys: keys})
	if cerr, serr := shake(t, c, s); cerr != nil || serr != nil {
		t.Fatalf("client %v, server %v", cerr, serr)
	}
	return c, s
}

// waitFull waits until the socket takes no more bytes: then both the peer's
// receive buffer and our send buffer are full.
func waitFull(t testing.TB, c *Conn) {
	t.Helper()
	raw, err := c.NetConn().(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	ticks := time.NewTicker(time.Millisecond)
	defer ticks.Stop()
	// Full twenty times in a row: the kernel may still be moving bytes.
	for full, deadline := 0, time.Now().Add(patience); full < 20; <-ticks.C {
		fds := []unix.PollFd{{Events: unix.POLLOUT}}
		if err := raw.Control(func(fd uintptr) {
			fds[0].Fd = int32(fd)
			_, _ = unix.Poll(fds, 0)
		}); err != nil {
			t.Fatal(err)
		}
		if fds[0].Revents&unix.POLLOUT == 0 {
			full++
		} else {
			full = 0
		}
		if time.Now().After(deadline) {
			t.Fatal("the buffers do not fill")
		}
	}
}

func pattern(n int, seed byte) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i>>8) ^ byte(i) ^ seed
	}
	return p
}

// TestFullDuplexWithFullBuffers: both ends write until nothing moves any more,
// and only then begin to read.
func TestFullDuplexWithFullBuffers(t *testing.T) {
	for _, v := range versions {
		t.Run(v.String(), func(t *testing.T) {
			c, s := connected(t, v)
			fromClient, fromServer := pattern(8<<20, 1), pattern(8<<20, 2)
			sent := make(chan error, 2)
			send := func(conn *Conn, p []byte) { _, err := conn.Write(p); sent <- err }
			go send(c, fromClient)
			go send(s, fromServer)
			waitFull(t, c)
			waitFull(t, s)
			got := make(chan bool, 2)
			receive := func(conn *Conn, want []byte) {
				p := make([]byte, len(want))
				_, err := io.ReadFull(conn, p)
				got <- err == nil && bytes.Equal(p, want)
			}
			go receive(s, fromClient)
			go receive(c, fromServer)
			for range 2 {
				if err := <-sent; err != nil {
					t.Errorf("write: %v", err)
				}
				if !<-got {
					t.Error("not what was written")
				}
			}
		})
	}
}

func TestTruncatedStreamIsNoCleanEnd(t *testing.T) {
	for _, v := range versions {
		c, s := connected(t, v)
		if _, err := c.Write([]byte("whole")); err != nil {
			t.Fatal(err)
		}
		if err := c.NetConn().Close(); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(s)
		if string(got) != "whole" || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%v: %q, %v", v, got, err)
		}
		if _, err := s.Write([]byte("x")); err == nil {
			t.Errorf("%v: a write after the stream broke off", v)
		}
	}
}

func TestBytesThatAreNotTLSEndTheConnection(t *testing.T) {
	for _, v := range versions {
		c, s := connected(t, v)
		// A record of application data that nobody encrypted.
		if _, err := c.NetConn().Write(append([]byte{0x17, 3, 3, 0, 64}, make([]byte, 64)...)); err != nil {
			t.Fatal(err)
		}
		var want *Error
		if _, err := s.Read(make([]byte, 10)); !errors.As(err, &want) {
			t.Errorf("%v: %v", v, err)
		}
		s.Close()
		if _, err := c.Read(make([]byte, 10)); !errors.As(err, &want) {
			t.Errorf("%v: the peer of the liar sees %v, not an alert", v, err)
		}
	}
}

func TestCloseFreesBlockedCalls(t *testing.T) {
	c, s := connected(t, TLS13)
	wrote, read := make(chan error, 1), make(chan error, 1)
	go func() { _, err := c.Write(make([]byte, 8<<20)); wrote <- err }()
	go func() { _, err := c.Read(make([]byte, 1)); read <- err }()
	waitFull(t, c)
	c.Close()
	if err := <-wrote; err == nil {
		t.Error("the write went through")
	}
	if err := <-read; !errors.Is(err, net.ErrClosed) {
		t.Errorf("read: %v", err)
	}
	for _, err := range []error{second(c.Read(nil)), second(c.Write([]byte("x")))} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
	// The write stopped in the middle: for the peer that is no clean end.
	if _, err := io.Copy(io.Discard, s); err == nil {
		t.Error("the peer sees a clean end")
	}
}

func second(_ int, err error) error { return err }

func TestDeadlines(t *testing.T) {
	c, s := connected(t, TLS13)
	past := time.Unix(1, 0)
	if err := s.SetReadDeadline(past); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read: %v", err)
	}
	if err := s.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("late")); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 10)
	if n, err := s.Read(p); string(p[:n]) != "late" || err != nil {
		t.Errorf("a read after a deadline: %q, %v", p[:n], err)
	}
	if err := c.SetWriteDeadline(past); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("write: %v", err)
	}
	if err := c.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a write after one that stopped midway: %v", err)
	}
}

func TestContextEndsAHandshake(t *testing.T) {
	client, server := pipe(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	c := Client(client, Config{Keys: loadKeys(t, "pe-1:"+keyA), Identity: "pe-1"})
	done := make(chan error, 1)
	go func() { done <- c.HandshakeContext(ctx) }()
	if _, err := io.ReadFull(server, make([]byte, 5)); err != nil { // it has begun
		t.Fatal(err)
	}
	why := errors.New("enough")
	cancel(why)
	if err := <-done; !errors.Is(err, why) {
		t.Errorf("handshake: %v", err)
	}
	if err := c.HandshakeContext(t.Context()); err == nil {
		t.Error("a second handshake")
	}
	c.Close()
}
