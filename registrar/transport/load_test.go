// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func openFiles(t testing.TB) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// status returns a number of /proc/self/status, such as "VmRSS:" in KiB.
func status(t testing.TB, name string) (n int) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n"+name)
	if _, err := fmt.Sscan(rest, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestThousandSessionsLeaveNothing: of eight at a time, each with one message,
// closed by either side.
func TestThousandSessionsLeaveNothing(t *testing.T) {
	l, _ := listen(t, ListenConfig{HandshakeTimeout: patience})
	cfg := dialConfig(t, l)
	cfg.HandshakeTimeout = patience
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	once := func(i int) error {
		s, err := Dial(ctx, cfg)
		if err != nil {
			return err
		}
		defer s.Close()
		if err := s.Write(ctx, message(200)); err != nil {
			return err
		}
		peer, err := l.Accept(ctx) // perhaps another's
		if err != nil {
			return err
		}
		defer peer.Close()
		_, err = peer.Read(ctx)
		return err
	}
	run := func(n int) {
		var all sync.WaitGroup
		for w := range 8 {
			all.Go(func() {
				for i := w; i < n; i += 8 {
					if err := once(i); err != nil {
						t.Errorf("session %d: %v", i, err)
					}
				}
			})
		}
		all.Wait()
	}
	began := time.Now()
	run(32)
	// A virtual machine does some three in a second.
	many := min(1000, int(32*patience/4/time.Since(began)))
	run(min(200, many))
	debug.FreeOSMemory()
	goroutines, files, memory := runtime.NumGoroutine(), openFiles(t), status(t, "VmRSS:")
	run(many)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); runtime.Gosched() {
		if runtime.NumGoroutine() <= goroutines && openFiles(t) <= files {
			break
		}
	}
	debug.FreeOSMemory()
	if g, f := runtime.NumGoroutine(), openFiles(t); g > goroutines || f > files {
		t.Errorf("goroutines %d to %d, files %d to %d", goroutines, g, files, f)
	}
	if grown := status(t, "VmRSS:") - memory; grown > 32<<10 { // what 1000 leak is 100 MiB
		t.Errorf("memory grew by %d KiB", grown)
	}
}

// handshakeTime is how long one takes.
func handshakeTime(t *testing.T) time.Duration {
	t.Helper()
	start := time.Now()
	sessions(t)
	return time.Since(start)
}

// TestHandshakesInParallel: TLS runs in C, and may not cost a thread a peer.
func TestHandshakesInParallel(t *testing.T) {
	peers := 200
	if affordable := int(patience / 4 / handshakeTime(t)); affordable < peers {
		peers = affordable
	}
	l, refusals := listen(t, ListenConfig{MaxUnauthenticated: peers, HandshakeTimeout: patience})
	cfg := dialConfig(t, l)
	cfg.HandshakeTimeout = patience
	var all sync.WaitGroup
	for range peers {
		all.Go(func() {
			s, err := Dial(testContext(t), cfg)
			if err != nil {
				t.Error(err)
				return
			}
			s.Close()
		})
		all.Go(func() {
			s, err := l.Accept(testContext(t))
			if err != nil {
				t.Error(err)
				return
			}
			s.Close()
		})
	}
	all.Wait()
	if len(refusals) > 0 {
		t.Errorf("%+v", <-refusals)
	}
	if n := status(t, "Threads:"); n > 100 {
		t.Errorf("%d threads", n)
	}
	t.Logf("%d threads for %d peers", status(t, "Threads:"), peers)
}

func TestSocketOptions(t *testing.T) {
	client, server := sessions(t)
	for name, s := range map[string]*Session{"client": client, "server": server} {
		raw, err := kernelConn(s).(syscall.Conn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		for _, tc := range []struct {
			option            string
			level, name, want int
		}{
			{"SO_PROTOCOL (no MPTCP)", unix.SOL_SOCKET, unix.SO_PROTOCOL, unix.IPPROTO_TCP},
			{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
			{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15},
			{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
			{"TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 10_000},
		} {
			var got int
			var failed error
			if err := raw.Control(func(fd uintptr) {
				got, failed = unix.GetsockoptInt(int(fd), tc.level, tc.name)
			}); err != nil {
				t.Fatal(err)
			}
			if got != tc.want || failed != nil {
				t.Errorf("%s, %s: %d, %v, want %d", name, tc.option, got, failed, tc.want)
			}
		}
	}
}

func BenchmarkSession(b *testing.B) {
	l, _ := listen(b, ListenConfig{})
	cfg := dialConfig(b, l)
	ctx := context.Background()
	for b.Loop() {
		client, err := Dial(ctx, cfg)
		if err != nil {
			b.Fatal(err)
		}
		server, err := l.Accept(ctx)
		if err != nil {
			b.Fatal(err)
		}
		client.Close()
		server.Close()
	}
}

// BenchmarkMessage is one message of 200 bytes there and back.
func BenchmarkMessage(b *testing.B) {
	client, server := sessions(b)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		for {
			msg, err := server.Read(ctx)
			if err != nil || server.Write(ctx, msg) != nil {
				return
			}
		}
	}()
	msg := message(200)
	b.ReportAllocs()
	for b.Loop() {
		if err := client.Write(ctx, msg); err != nil {
			b.Fatal(err)
		}
		if _, err := client.Read(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
