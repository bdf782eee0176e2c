// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/transport/psk"
)

// rejecting listens for TLS, and answers who speaks without with reply. The
// channel gets what such a peer said.
func rejecting(t *testing.T, reply []byte, timeout time.Duration) (*Listener, <-chan []byte, <-chan Refusal) {
	t.Helper()
	heard := make(chan []byte, 8)
	l, refusals := listen(t, ListenConfig{
		HandshakeTimeout: timeout,
		OnPlain:          func(first []byte) []byte { heard <- first; return reply },
	})
	return l, heard, refusals
}

func TestPlainPeerIsTurnedAway(t *testing.T) {
	for _, tc := range []struct {
		name  string
		sent  []byte // beside what follows the first message
		reply []byte
	}{
		{"a short message", message(4), message(20)},
		{"one to be padded", message(9), message(21)},
		{"the longest", message(65535), message(65535)},
		{"no answer", message(8), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, heard, refusals := rejecting(t, tc.reply, patience)
			conn := rawDial(t, l)
			if _, err := conn.Write(tc.sent); err != nil {
				t.Fatal(err)
			}
			if got := <-heard; !bytes.Equal(got, tc.sent) {
				t.Errorf("it heard %x", got)
			}
			var want []byte
			if tc.reply != nil {
				want, _ = padded(tc.reply)
			}
			if got, err := io.ReadAll(conn); err != nil || !bytes.Equal(got, want) {
				t.Errorf("the answer is %x, %v", got, err)
			}
			conn.Close()
			if r := refusal(t, refusals); r.Reason != ReasonPlain || r.Remote != addrPort(conn.LocalAddr()) {
				t.Errorf("%+v", r)
			}
			if len(l.sessions) > 0 {
				t.Error("it became a session")
			}
		})
	}
}

// TestPlainPeerThatGoesOn: what it sends after its first message does not cost it
// the answer, and is heard by nobody.
func TestPlainPeerThatGoesOn(t *testing.T) {
	l, heard, refusals := rejecting(t, message(20), patience)
	conn := rawDial(t, l)
	if _, err := conn.Write(bytes.Repeat(message(8), 100)); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); err != nil || !bytes.Equal(got, message(20)) {
		t.Errorf("the answer is %x, %v", got, err)
	}
	conn.Close()
	if r := refusal(t, refusals); r.Reason != ReasonPlain || len(heard) != 1 {
		t.Errorf("%+v, %d messages", r, len(heard))
	}
}

func TestPlainPeerHasBounds(t *testing.T) {
	for _, tc := range []struct {
		name   string
		sent   []byte
		reason string
		err    error
	}{
		{"half a message", message(100)[:50], ReasonTimeout, context.DeadlineExceeded},
		{"a length of three", []byte{1, 0, 0, 3}, ReasonHandshake, psk.ErrNotTLS},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, heard, refusals := rejecting(t, message(20), 200*time.Millisecond)
			conn := rawDial(t, l)
			if _, err := conn.Write(tc.sent); err != nil {
				t.Fatal(err)
			}
			refusedConn(t, conn)
			if r := refusal(t, refusals); r.Reason != tc.reason || !errors.Is(r.Err, tc.err) || len(heard) > 0 {
				t.Errorf("%+v, %d messages", r, len(heard))
			}
		})
	}
}

// TestPlainPeerThatStays is closed all the same.
func TestPlainPeerThatStays(t *testing.T) {
	l, _, refusals := rejecting(t, message(20), time.Hour)
	conn := rawDial(t, l)
	if _, err := conn.Write(message(8)); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if r := refusal(t, refusals); r.Reason != ReasonPlain || time.Since(start) > 10*linger {
		t.Errorf("%+v after %v", r, time.Since(start))
	}
}

// TestAPortThatOnlyRejects answers plain peers, and closes at once whatever else
// comes, a finished ClientHello and half of one.
func TestAPortThatOnlyRejects(t *testing.T) {
	refusals := make(chan Refusal, 1)
	l, err := Listen(testContext(t), ListenConfig{
		Addr: loopback, HandshakeTimeout: time.Hour,
		OnPlain:   func([]byte) []byte { return message(20) },
		OnRefused: func(r Refusal) { refusals <- r },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, tc := range []struct {
		name   string
		sent   []byte
		reply  []byte
		reason string
		err    error
	}{
		{"a plain message", message(8), message(20), ReasonPlain, errPlain},
		{"a ClientHello", clientHello(t), nil, ReasonHandshake, errTLS},
		{"the first byte of one", []byte{recordHandshake}, nil, ReasonHandshake, errTLS},
		{"neither", []byte("\x00\x00\x00\x00"), nil, ReasonHandshake, psk.ErrNotTLS},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conn := rawDial(t, l)
			if _, err := conn.Write(tc.sent); err != nil {
				t.Fatal(err)
			}
			if got, _ := io.ReadAll(conn); !bytes.Equal(got, tc.reply) { // the end may be a reset: not all was read
				t.Errorf("the answer is %x", got)
			}
			conn.Close()
			if r := refusal(t, refusals); r.Reason != tc.reason || !errors.Is(r.Err, tc.err) || len(l.sessions) > 0 {
				t.Errorf("%+v, %d sessions", r, len(l.sessions))
			}
		})
	}
}

// clientHello is the record that crypto/tls begins with.
func clientHello(t *testing.T) []byte {
	t.Helper()
	near, far := net.Pipe()
	defer far.Close()
	go tls.Client(near, &tls.Config{ServerName: serverName}).HandshakeContext(testContext(t))
	hello := make([]byte, maxHello)
	n, err := far.Read(hello)
	if err != nil {
		t.Fatal(err)
	}
	return hello[:n]
}

func TestKeysStillCountBesideOnPlain(t *testing.T) {
	l, _, _ := rejecting(t, message(20), patience)
	s, err := Dial(testContext(t), dialConfig(t, l))
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

// TestPlainClientAtATLSListener gets no session worth the name.
func TestPlainClientAtATLSListener(t *testing.T) {
	l, _ := listen(t, ListenConfig{})
	s, err := Dial(testContext(t), DialConfig{Remote: l.Addr(), Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Write(testContext(t), message(8)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(testContext(t)); err == nil {
		t.Error("it was answered")
	}
}

// TestTLSClientAtAPlainListener fails: a client never goes on without TLS.
func TestTLSClientAtAPlainListener(t *testing.T) {
	l, err := Listen(testContext(t), ListenConfig{Addr: loopback, Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			s, err := l.Accept(context.Background())
			if errors.Is(err, net.ErrClosed) {
				return
			}
			s.Write(testContext(t), message(8))
		}
	}()
	if s, err := Dial(testContext(t), dialConfig(t, l)); err == nil {
		s.Close()
		t.Error("it has a session")
	}
}

func TestConfigsThatContradictThemselves(t *testing.T) {
	c, keys := newCertificate(t, ecdsaKey(t)), loadKeys(t, "pe-1:"+keyA)
	for name, cfg := range map[string]ListenConfig{
		"nothing":               {},
		"plain and keys":        {Plain: true, Keys: keys},
		"plain and certificate": {Plain: true, Certificate: c.get},
		"plain and OnPlain":     {Plain: true, OnPlain: func([]byte) []byte { return nil }},
		"no protocol for it":    {Plain: true, Protocol: 6},
		"many addresses":        {Plain: true, More: []netip.Addr{loopback.Addr()}},
	} {
		cfg.Addr = loopback
		if l, err := Listen(testContext(t), cfg); err == nil {
			l.Close()
			t.Errorf("listen: %s", name)
		}
	}
	l, _ := listen(t, ListenConfig{})
	for name, cfg := range map[string]DialConfig{
		"nothing":            {},
		"keys and name":      {Keys: keys, Identity: "pe-1", ServerName: serverName},
		"keys and plain":     {Keys: keys, Identity: "pe-1", Plain: true},
		"name and plain":     {ServerName: serverName, Plain: true},
		"no protocol for it": {Plain: true, Protocol: 6},
		"many addresses":     {Plain: true, More: []netip.Addr{loopback.Addr()}},
	} {
		cfg.Remote = l.Addr()
		if s, err := Dial(testContext(t), cfg); err == nil {
			s.Close()
			t.Errorf("dial: %s", name)
		}
	}
}
