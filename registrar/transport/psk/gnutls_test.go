// SPDX-License-Identifier: Apache-2.0

package psk

import (
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// priority is GnuTLS' word for a version, with pre-shared keys only. gnutls-cli 3.7 dies of a signal after a handshake of
// TLS 1.2 with ECDHE-PSK, with OpenSSL's server too: there it is asked for PSK.
func priority(v Version) string {
	if v == TLS12 {
		return "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+PSK"
	}
	return "NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+ECDHE-PSK:+PSK"
}

// gnutlsClient connects gnutls-cli to a Server of ours, before its handshake.
func gnutlsClient(t *testing.T, identity, key, priority string) (*program, *Conn) {
	t.Helper()
	return clientProgram(t, Config{Keys: loadKeys(t, "pe-1:"+keyA)}, func(addr netip.AddrPort) *program {
		return start(t, "gnutls-cli", "--priority", priority, "--pskusername", identity, "--pskkey", key,
			"--port", strconv.Itoa(int(addr.Port())), addr.Addr().String())
	})
}

func TestGnuTLSClient(t *testing.T) {
	for _, tc := range []struct {
		name     string
		priority string
		v        Version
		suite    string
	}{
		{"TLS 1.3", priority(TLS13), TLS13, "TLS_AES_128_GCM_SHA256"},
		{"TLS 1.2", priority(TLS12), TLS12, "TLS_PSK_WITH_AES_128_GCM_SHA256"},
		{"TLS 1.2, the RFC's suite", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+PSK:-CIPHER-ALL:+AES-128-CBC:-MAC-ALL:+SHA1",
			TLS12, "TLS_PSK_WITH_AES_128_CBC_SHA"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, s := gnutlsClient(t, "pe-1", keyA, tc.priority)
			proven(t, s, tc.v, tc.suite)
			defer s.Close()
			line(t, p.stdout, "- Simple Client Mode:") // before that it does not read its standard input
			converse(t, p, s)
		})
	}
}

// TestGnuTLSClientIsRefused: what a client is told does not depend on whether the identity or the key is wrong.
func TestGnuTLSClientIsRefused(t *testing.T) {
	for _, v := range versions {
		t.Run(v.String(), func(t *testing.T) {
			said := map[string]string{}
			for name, claim := range map[string][2]string{"wrong key": {"pe-1", keyB}, "unknown identity": {"pe-2", keyA}} {
				p, s := gnutlsClient(t, claim[0], claim[1], priority(v))
				if err := s.HandshakeContext(t.Context()); err == nil {
					t.Errorf("%s: it got in", name)
				}
				s.Close()
				said[name] = fatal(t, p)
			}
			if said["wrong key"] != said["unknown identity"] || said["wrong key"] == "" {
				t.Errorf("the client can tell them apart, or heard nothing: %q", said)
			}
		})
	}
}

// fatal is what gnutls-cli prints of the alert that ended it.
func fatal(t *testing.T, p *program) string {
	t.Helper()
	out, err := io.ReadAll(io.MultiReader(p.stdout, p.stderr))
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(string(out)) {
		if strings.Contains(l, "alert") {
			return strings.TrimSpace(l)
		}
	}
	return ""
}

func TestGnuTLSServer(t *testing.T) {
	for _, v := range versions {
		t.Run(v.String(), func(t *testing.T) {
			c := gnutlsServer(t, keyA, v)
			if err := c.HandshakeContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if got, suite := c.Suite(); got != v || c.PeerIdentity() != "pe-1" {
				t.Errorf("%v %s, identity %q", got, suite, c.PeerIdentity())
			}
			if _, err := c.Write([]byte("hello\n")); err != nil {
				t.Fatal(err)
			}
			expect(t, c, "hello\n") // it echoes
		})
		t.Run(v.String()+", wrong key", func(t *testing.T) {
			c := gnutlsServer(t, keyB, v)
			if err := c.HandshakeContext(t.Context()); err == nil {
				t.Error("the client took a wrong key")
			}
			c.Close()
		})
	}
}

// gnutlsServer connects a Client of ours to gnutls-serv, before its handshake.
func gnutlsServer(t *testing.T, key string, v Version) *Conn {
	t.Helper()
	passwords := filepath.Join(t.TempDir(), "psk")
	if err := os.WriteFile(passwords, []byte("pe-1:"+key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort(t)))
	_, port, _ := net.SplitHostPort(addr)
	start(t, "gnutls-serv", "--echo", "--priority", priority(v), "--pskpasswd", passwords, "--port", port)
	return clientOf(t, dialUntil(t, addr))
}

// freePort was free a moment ago: gnutls-serv does not say which port it got.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// dialUntil connects as soon as somebody listens.
func dialUntil(t *testing.T, addr string) net.Conn {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			return conn
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}
