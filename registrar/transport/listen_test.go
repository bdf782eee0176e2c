// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/transport/psk"
)

func TestListenerRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, identity, key, reason string
	}{
		{"wrong key", "pe-1", keyB, ReasonHandshake},
		{"unknown identity", "pe-2", keyA, ReasonHandshake},
		{"own identity", "edge", keyB, ReasonOwnIdentity},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, refusals := listen(t, ListenConfig{Keys: loadKeys(t, "pe-1:"+keyA, "edge:"+keyB), Identity: "edge"})
			s, err := Dial(testContext(t), DialConfig{Remote: l.Addr(), Identity: tc.identity,
				Keys: loadKeys(t, tc.identity+":"+tc.key)})
			if err == nil {
				s.Close()
				t.Error("the client got a session")
			}
			r := refusal(t, refusals)
			if r.Reason != tc.reason || r.Err == nil || r.Remote.Addr() != l.Addr().Addr() {
				t.Errorf("%+v, want %s", r, tc.reason)
			}
		})
	}
}

// refusedConn checks that the listener closed conn without a word.
func refusedConn(t *testing.T, conn net.Conn) {
	t.Helper()
	var timeout net.Error
	b, err := io.ReadAll(conn)
	if len(b) > 0 || errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("%v: not closed: %x, %v", conn.LocalAddr(), b, err)
	}
}

func TestPlainTextIsRefusedAtOnce(t *testing.T) {
	l, refusals := listen(t, ListenConfig{HandshakeTimeout: time.Hour})
	conn := rawDial(t, l)
	if _, err := conn.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	refusedConn(t, conn)
	if r := refusal(t, refusals); r.Reason != ReasonHandshake || !errors.Is(r.Err, psk.ErrNotTLS) {
		t.Errorf("%+v", r)
	}
}

func TestPeerThatLeavesIsRefused(t *testing.T) {
	l, refusals := listen(t, ListenConfig{HandshakeTimeout: time.Hour})
	rawDial(t, l).Close()
	if r := refusal(t, refusals); r.Reason != ReasonHandshake || !errors.Is(r.Err, io.ErrUnexpectedEOF) {
		t.Errorf("%+v", r)
	}
}

// TestSlowPeerRunsOutOfTime: bytes that trickle in do not buy time.
func TestSlowPeerRunsOutOfTime(t *testing.T) {
	const timeout = 200 * time.Millisecond
	l, refusals := listen(t, ListenConfig{HandshakeTimeout: timeout})
	start := time.Now()
	silent, slow := rawDial(t, l), rawDial(t, l)
	go func() {
		hello := []byte{0x16, 3, 1, 0x02, 0, 1, 0, 0x01, 0xfc, 3, 3}
		for range time.Tick(5 * time.Millisecond) {
			if _, err := slow.Write(hello[:1]); err != nil {
				return
			}
			if hello = hello[1:]; len(hello) == 0 {
				hello = make([]byte, 512)
			}
		}
	}()
	for range 2 {
		if r := refusal(t, refusals); r.Reason != ReasonTimeout || !errors.Is(r.Err, context.DeadlineExceeded) {
			t.Errorf("%+v", r)
		}
	}
	if took := time.Since(start); took < timeout || took > 10*timeout {
		t.Errorf("it took %v", took)
	}
	refusedConn(t, silent)
	refusedConn(t, slow)
}

func TestOldestGivesWay(t *testing.T) {
	l, refusals := listen(t, ListenConfig{MaxUnauthenticated: 3, HandshakeTimeout: time.Hour})
	conns := []net.Conn{rawDial(t, l), rawDial(t, l), rawDial(t, l), rawDial(t, l)}
	r := refusal(t, refusals)
	if r.Reason != ReasonTooMany || r.Remote != addrPort(conns[0].LocalAddr()) {
		t.Errorf("%+v, want the oldest, %v", r, conns[0].LocalAddr())
	}
	refusedConn(t, conns[0])
	// Who has a key gets in, at the cost of the next oldest.
	s, err := Dial(testContext(t), dialConfig(t, l))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if r := refusal(t, refusals); r.Reason != ReasonTooMany || r.Remote != addrPort(conns[1].LocalAddr()) {
		t.Errorf("%+v, want the second, %v", r, conns[1].LocalAddr())
	}
	accepted, err := l.Accept(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	// The session holds no place: two are taken, the next is free, and one with a
	// wrong key makes the third give way.
	rawDial(t, l)
	if s, err = Dial(testContext(t), DialConfig{Remote: l.Addr(), Identity: "pe-1", Keys: loadKeys(t, "pe-1:"+keyB)}); err == nil {
		s.Close()
	}
	for range 2 { // in either order
		if r := refusal(t, refusals); r.Reason != ReasonHandshake && r.Remote != addrPort(conns[2].LocalAddr()) {
			t.Errorf("%+v, want the third, %v", r, conns[2].LocalAddr())
		}
	}
}

func TestSessionsThatNobodyAccepts(t *testing.T) {
	l, refusals := listen(t, ListenConfig{MaxUnauthenticated: 1})
	first, err := Dial(testContext(t), dialConfig(t, l))
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := Dial(testContext(t), dialConfig(t, l))
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	// Which of the two was first through the handshake is the scheduler's choice.
	if r := refusal(t, refusals); r.Reason != ReasonTooMany || !errors.Is(r.Err, errBacklog) && !errors.Is(r.Err, errTooMany) {
		t.Errorf("%+v", r)
	}
	if s, err := l.Accept(testContext(t)); err != nil {
		t.Error(err)
	} else {
		s.Close()
	}
}

func TestListenerClose(t *testing.T) {
	l, refusals := listen(t, ListenConfig{HandshakeTimeout: time.Hour})
	waiting := rawDial(t, l)
	unaccepted, err := Dial(testContext(t), dialConfig(t, l))
	if err != nil {
		t.Fatal(err)
	}
	defer unaccepted.Close()
	for len(l.sessions) == 0 { // the server's side has yet to finish
		runtime.Gosched()
	}
	for range 2 {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	refusedConn(t, waiting)
	if _, err := unaccepted.Read(testContext(t)); !errors.Is(err, io.EOF) {
		t.Errorf("a session that nobody accepted: %v", err)
	}
	if _, err := l.Accept(testContext(t)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept: %v", err)
	}
	if len(refusals) > 0 {
		t.Errorf("%+v: closing is no refusal", <-refusals)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("the socket is open")
	}
}

func TestContextEndsTheListener(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l, err := Listen(ctx, ListenConfig{Addr: loopback, Keys: loadKeys(t, "pe-1:"+keyA)})
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error, 1)
	go func() { _, err := l.Accept(testContext(t)); waiting <- err }()
	cancel()
	if err := <-waiting; !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestAcceptUnderContext(t *testing.T) {
	l, _ := listen(t, ListenConfig{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Accept(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("accept: %v", err)
	}
}

func TestListenFails(t *testing.T) {
	if _, err := Listen(t.Context(), ListenConfig{Addr: loopback}); err == nil {
		t.Error("a listener without keys")
	}
	l, _ := listen(t, ListenConfig{})
	if _, err := Listen(t.Context(), ListenConfig{Addr: l.Addr(), Keys: loadKeys(t, "pe-1:"+keyA)}); err == nil {
		t.Error("two listeners on one address")
	}
}
