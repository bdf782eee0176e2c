// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

func TestReadUnderContext(t *testing.T) { overStreams(t, testReadUnderContext) }

func testReadUnderContext(t *testing.T, w way) {
	client, server := w.sessions(t)
	ctx, cancel := context.WithCancel(t.Context())
	read := make(chan error, 1)
	go func() { _, err := server.Read(ctx); read <- err }()
	cancel()
	if err := <-read; !errors.Is(err, context.Canceled) {
		t.Fatalf("read: %v", err)
	}
	// Nothing is lost: not even a message of which a part has been read.
	want := message(10)
	if _, err := rawWrite(client, want[:6]); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := server.Read(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("read: %v", err)
	}
	if _, err := rawWrite(client, append(want[6:], 0, 0)); err != nil {
		t.Fatal(err)
	}
	if got, err := server.Read(testContext(t)); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%x, %v", got, err)
	}
}

func TestWriteUnderContext(t *testing.T) { overAll(t, testWriteUnderContext) }

func testWriteUnderContext(t *testing.T, w way) {
	client, server := w.sessions(t)
	ctx, cancel := context.WithCancel(t.Context())
	big := message(65535)
	results := make(chan error, 2)
	// Nobody reads: the first fills the buffers, the second waits for its turn.
	stuck := time.AfterFunc(300*time.Millisecond, cancel)
	for range 2 {
		go func() {
			for {
				if err := client.Write(ctx, big); err != nil {
					results <- err
					return
				}
				stuck.Reset(300 * time.Millisecond)
			}
		}()
	}
	for range 2 {
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("write: %v", err)
		}
	}
	client.Close()
	for {
		_, err := server.Read(testContext(t))
		if w.kind == Plain && err != nil {
			return // SCTP sends a message whole or not at all, and TCP may stop between two
		}
		if errors.Is(err, io.EOF) {
			t.Error("a write that stopped midway looks like a clean end")
		}
		if err != nil {
			return
		}
	}
}

func TestCallsUnderAnEndedContext(t *testing.T) { overAll(t, testCallsUnderAnEndedContext) }

func testCallsUnderAnEndedContext(t *testing.T, w way) {
	client, server := w.sessions(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := client.Write(ctx, message(8)); !errors.Is(err, context.Canceled) {
		t.Errorf("write: %v", err)
	}
	if _, err := server.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("read: %v", err)
	}
	// Neither has done any harm.
	if err := client.Write(testContext(t), message(8)); err != nil {
		t.Fatal(err)
	}
	if msg, err := server.Read(testContext(t)); err != nil || len(msg) != 8 {
		t.Errorf("%x, %v", msg, err)
	}
}

func TestCloseEndsBlockedCalls(t *testing.T) { overAll(t, testCloseEndsBlockedCalls) }

func testCloseEndsBlockedCalls(t *testing.T, w way) {
	client, _ := w.sessions(t)
	read := make(chan error, 1)
	go func() { _, err := client.Read(context.Background()); read <- err }()
	client.Close()
	if err := <-read; !errors.Is(err, net.ErrClosed) {
		t.Errorf("read: %v", err)
	}
	if err := client.Write(context.Background(), message(8)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write: %v", err)
	}
}

func TestBrokenFramingClosesTheSession(t *testing.T) {
	overStreams(t, testBrokenFramingClosesTheSession)
}

func testBrokenFramingClosesTheSession(t *testing.T, w way) {
	client, server := w.sessions(t)
	if _, err := rawWrite(client, []byte{1, 0, 0, 3}); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Read(testContext(t)); !errors.Is(err, errFrame) {
		t.Errorf("read: %v", err)
	}
	if _, err := client.Read(testContext(t)); !errors.Is(err, io.EOF) {
		t.Errorf("the peer sees %v", err)
	}
	if err := client.Write(testContext(t), message(8)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("write: %v", err)
	}
}

func TestStreamThatBreaksOff(t *testing.T) { overTLS(t, testStreamThatBreaksOff) }

func testStreamThatBreaksOff(t *testing.T, w way) {
	client, server := w.sessions(t)
	if err := client.Write(testContext(t), message(8)); err != nil {
		t.Fatal(err)
	}
	kernelConn(client).Close()
	if msg, err := server.Read(testContext(t)); err != nil || len(msg) != 8 {
		t.Errorf("%x, %v", msg, err)
	}
	if _, err := server.Read(testContext(t)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("read: %v", err)
	}
}

// TestManyWritersBothWays: messages arrive whole and in each writer's order.
func TestManyWritersBothWays(t *testing.T) { overAll(t, testManyWritersBothWays) }

func testManyWritersBothWays(t *testing.T, w way) {
	const writers, each = 4, 30
	client, server := w.sessions(t)
	ctx := testContext(t)
	var all sync.WaitGroup
	for _, s := range []*Session{client, server} {
		for number := range writers {
			all.Go(func() {
				for i := range each {
					msg := message(1000 + number*5001)
					binary.BigEndian.PutUint32(msg[4:], uint32(number))
					binary.BigEndian.PutUint32(msg[8:], uint32(i))
					if err := s.Write(ctx, msg); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Go(func() {
			next := [writers]uint32{}
			for range writers * each {
				msg, err := s.Read(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				w, i := binary.BigEndian.Uint32(msg[4:]), binary.BigEndian.Uint32(msg[8:])
				if w >= writers || i != next[w] || !bytes.Equal(msg[12:], message(1000 + int(w)*5001)[12:]) {
					t.Errorf("a message of writer %d, number %d", w, i)
					return
				}
				next[w]++
			}
		})
	}
	all.Wait()
}

// TestFullBuffersBothWays: neither end reads before both have filled all buffers;
// then each must get everything, for no reader waits for a writer.
func TestFullBuffersBothWays(t *testing.T) { overAll(t, testFullBuffersBothWays) }

func testFullBuffersBothWays(t *testing.T, w way) {
	client, server := w.sessions(t)
	ctx := testContext(t)
	var all sync.WaitGroup
	full, reading := make(chan struct{}, 2), make(chan struct{})
	for _, s := range []*Session{client, server} {
		all.Go(func() { fillAndEnd(ctx, t, s, full, reading) })
	}
	for range 2 {
		<-full
	}
	close(reading)
	for _, s := range []*Session{client, server} {
		all.Go(func() {
			for {
				got, err := s.Read(ctx)
				if err != nil || len(got) != 65535 && len(got) != headerLen {
					t.Errorf("%d bytes, %v", len(got), err)
					return
				}
				if len(got) == headerLen {
					return
				}
			}
		})
	}
	all.Wait()
}

// fillAndEnd writes until one message has been stuck for a while, and after that
// a short one.
func fillAndEnd(ctx context.Context, t *testing.T, s *Session, full chan<- struct{}, reading <-chan struct{}) {
	for {
		stuck := time.AfterFunc(time.Second, func() { full <- struct{}{} })
		err := s.Write(ctx, message(65535))
		if err != nil {
			t.Error(err)
			return
		}
		if !stuck.Stop() {
			<-reading
			if err := s.Write(ctx, message(headerLen)); err != nil {
				t.Error(err)
			}
			return
		}
	}
}

func TestDialFails(t *testing.T) {
	l, _ := listen(t, ListenConfig{})
	cfg := dialConfig(t, l)
	cfg.Identity = "pe-2"
	if _, err := Dial(testContext(t), cfg); err == nil {
		t.Error("an identity without a key")
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	cfg = dialConfig(t, l)
	cfg.Remote, cfg.HandshakeTimeout = addrPort(silent.Addr()), 50*time.Millisecond
	if _, err := Dial(testContext(t), cfg); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a registrar that says nothing: %v", err)
	}
	l.Close()
	if _, err := Dial(testContext(t), dialConfig(t, l)); err == nil {
		t.Error("nobody listens")
	}
}

func TestDialFromAnAddress(t *testing.T) {
	l, _ := listen(t, ListenConfig{})
	cfg := dialConfig(t, l)
	cfg.Local = []netip.Addr{netip.MustParseAddr("127.0.0.2")}
	s, err := Dial(testContext(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.LocalAddrs()[0].Addr() != cfg.Local[0] {
		t.Errorf("from %v", s.LocalAddrs())
	}
}
