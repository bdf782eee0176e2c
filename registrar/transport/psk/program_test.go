// SPDX-License-Identifier: Apache-2.0

package psk

import (
	"bufio"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// program is another implementation's client or server, running.
type program struct {
	stdin          io.WriteCloser
	stdout, stderr *bufio.Reader
	cmd            *exec.Cmd
}

// start runs a program of Debian's packages openssl or gnutls-bin until the test ends.
func start(t *testing.T, name string, args ...string) *program {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("these tests need the program %s: apt-get install openssl gnutls-bin", name)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	p := &program{cmd: cmd}
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdout, p.stderr = bufio.NewReader(stdout), bufio.NewReader(stderr)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return p
}

func (p *program) say(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(p.stdin, text); err != nil {
		t.Fatal(err)
	}
}

// line returns the next line that begins with prefix.
func line(t *testing.T, r *bufio.Reader, prefix string) string {
	t.Helper()
	for {
		text, err := r.ReadString('\n')
		if strings.HasPrefix(text, prefix) {
			return strings.TrimSpace(text)
		}
		if err != nil {
			t.Fatalf("no line that begins with %q: %v", prefix, err)
		}
	}
}

// clientProgram runs a client that connects to a Server of ours, before its handshake.
func clientProgram(t *testing.T, cfg Config, run func(netip.AddrPort) *program) (*program, *Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := run(l.Addr().(*net.TCPAddr).AddrPort())
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return p, Server(bounded(t, conn), cfg)
}

// clientOf is a Client of ours that proves pe-1 with key A over a connection to a server program.
func clientOf(t *testing.T, conn net.Conn) *Conn {
	t.Helper()
	return Client(bounded(t, conn), Config{Keys: loadKeys(t, "pe-1:"+keyA), Identity: "pe-1"})
}

// bounded ends a connection with the test, and one that hangs before that.
func bounded(t *testing.T, conn net.Conn) net.Conn {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// proven ends the handshake with a client program, which must have proven pe-1 with this version and suite.
func proven(t *testing.T, s *Conn, wantVersion Version, wantSuite string) {
	t.Helper()
	if err := s.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v, suite := s.Suite(); v != wantVersion || suite != wantSuite {
		t.Errorf("%v %s, want %v %s", v, suite, wantVersion, wantSuite)
	}
	if s.PeerIdentity() != "pe-1" {
		t.Errorf("identity %q", s.PeerIdentity())
	}
}

// converse has a client program and the Server say something to each other.
func converse(t *testing.T, p *program, s *Conn) {
	t.Helper()
	p.say(t, "hello\n")
	expect(t, s, "hello\n")
	if _, err := s.Write([]byte("world\n")); err != nil {
		t.Fatal(err)
	}
	line(t, p.stdout, "world")
}
