// SPDX-License-Identifier: Apache-2.0

package psk

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

// updating connects an s_client that takes K (update the keys, and ask for the
// same) as a command, and otherwise prints what it gets.
func updating(t *testing.T) (*program, *Conn) {
	t.Helper()
	o, s := sClient(t, Config{Keys: loadKeys(t, "pe-1:"+keyA)},
		pskArgs("pe-1", keyA, "-tls1_3", "-quiet", "-no_ign_eof")...)
	if err := s.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return o, s
}

func TestKeyUpdates(t *testing.T) {
	o, s := updating(t)
	for range 5 {
		o.say(t, "K\n")
		line(t, o.stderr, "KEYUPDATE")
		o.say(t, "hello\n")
		expect(t, s, "hello\n")
		if _, err := s.Write([]byte("world\n")); err != nil {
			t.Fatal(err)
		}
		line(t, o.stdout, "world")
	}
}

// TestKeyUpdateWithFullBuffers: the peer asks for a key update and reads nothing,
// until our writer can write no more. Our reader must go on all the same.
func TestKeyUpdateWithFullBuffers(t *testing.T) {
	o, s := updating(t)
	o.say(t, "K\n")
	line(t, o.stderr, "KEYUPDATE")
	o.say(t, "hello\n") // its stdout is a pipe that nobody reads yet
	want := bytes.Repeat([]byte("0123456789abcde\n"), 1<<20)
	wrote := make(chan error, 1)
	go func() { _, err := s.Write(want); wrote <- err }()
	waitFull(t, s)
	expect(t, s, "hello\n")
	got := make([]byte, len(want))
	if _, err := io.ReadFull(o.stdout, got); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the peer did not get what was written: %v", err)
	}
	if err := <-wrote; err != nil {
		t.Errorf("write: %v", err)
	}
	if _, err := s.Write([]byte("after\n")); err != nil {
		t.Fatal(err)
	}
	line(t, o.stdout, "after")
}

// entering tells when somebody begins to read from the network: then all that
// was read before has been dealt with.
type entering struct {
	net.Conn
	reads chan struct{}
}

func (e *entering) Read(p []byte) (int, error) {
	e.reads <- struct{}{}
	return e.Conn.Read(p)
}

func TestNoRenegotiation(t *testing.T) {
	t.Run("asked by the client", func(t *testing.T) {
		o, s := sClient(t, Config{Keys: loadKeys(t, "pe-1:"+keyA)},
			pskArgs("pe-1", keyA, "-tls1_2", "-quiet", "-no_ign_eof")...)
		noRenegotiation(t, o, s, "R\n")
	})
	t.Run("asked by the server", func(t *testing.T) {
		c, o := sServer(t, keyA, TLS12)
		noRenegotiation(t, o, c, "r\n")
	})
}

// noRenegotiation lets the peer ask for a renegotiation by a command.
func noRenegotiation(t *testing.T, o *program, c *Conn, command string) {
	t.Helper()
	conn := &entering{c.NetConn(), make(chan struct{}, 100)}
	c = &Conn{conn: conn, cfg: c.cfg, server: c.server}
	if err := c.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	for len(conn.reads) > 0 {
		<-conn.reads
	}
	read := make(chan error, 1)
	go func() { _, err := c.Read(make([]byte, 10)); read <- err }()
	<-conn.reads
	o.say(t, command)
	<-conn.reads // it has been answered; the answer goes out with the next write
	if _, err := c.Write([]byte("x\n")); err != nil {
		t.Fatal(err)
	}
	if text := firstError(o.stderr); !strings.Contains(text, "no renegotiation") {
		t.Errorf("the peer sees %q", text)
	}
	c.Close()
	<-read
}

func firstError(r *bufio.Reader) string {
	for {
		text, err := r.ReadString('\n')
		if err != nil || strings.Contains(text, ":error:") {
			return text
		}
	}
}

// TestAnswersWithoutEnd: each key update asks for an answer, and we never write.
func TestAnswersWithoutEnd(t *testing.T) {
	o, s := updating(t)
	done := make(chan error, 1)
	go func() { _, err := s.Read(make([]byte, 10)); done <- err }()
	for range maxPending {
		select {
		case err := <-done:
			var failure *Error
			if !errors.As(err, &failure) || !strings.Contains(failure.Reason, "answers without end") {
				t.Errorf("read: %v", err)
			}
			return
		default:
			o.say(t, "K\n")
			line(t, o.stderr, "KEYUPDATE")
		}
	}
	t.Error("the connection stands, and holds an answer to every key update")
}
