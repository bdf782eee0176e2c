// SPDX-License-Identifier: Apache-2.0

package psk

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
)

func flag(v Version) string {
	if v == TLS12 {
		return "-tls1_2"
	}
	return "-tls1_3"
}

// sClient connects s_client to a Server of ours, before its handshake.
func sClient(t *testing.T, cfg Config, args ...string) (*program, *Conn) {
	t.Helper()
	return clientProgram(t, cfg, func(addr netip.AddrPort) *program {
		return start(t, "openssl", append([]string{"s_client", "-connect", addr.String()}, args...)...)
	})
}

func pskArgs(identity, key string, more ...string) []string {
	return append([]string{"-psk_identity", identity, "-psk", key}, more...)
}

func expect(t *testing.T, c *Conn, want string) {
	t.Helper()
	p := make([]byte, len(want))
	if _, err := io.ReadFull(c, p); err != nil || string(p) != want {
		t.Fatalf("read %q, %v, want %q", p, err, want)
	}
}

func TestOpenSSLClient(t *testing.T) {
	for _, tc := range []struct {
		args  []string
		v     Version
		suite string
	}{
		{[]string{"-tls1_3"}, TLS13, "TLS_AES_128_GCM_SHA256"},
		{[]string{"-tls1_3", "-groups", "P-521:P-256"}, TLS13, "TLS_AES_128_GCM_SHA256"},
		{[]string{"-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"}, TLS13, "TLS_CHACHA20_POLY1305_SHA256"},
		{[]string{"-tls1_2"}, TLS12, "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256"},
		{[]string{"-tls1_2", "-cipher", "ECDHE-PSK-AES128-CBC-SHA256"}, TLS12, "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256"},
		{[]string{"-tls1_2", "-cipher", "PSK-AES128-GCM-SHA256"}, TLS12, "TLS_PSK_WITH_AES_128_GCM_SHA256"},
		{[]string{"-tls1_2", "-cipher", "PSK-AES128-CBC-SHA"}, TLS12, "TLS_PSK_WITH_AES_128_CBC_SHA"},
	} {
		t.Run(strings.Join(tc.args, " "), func(t *testing.T) {
			o, s := sClient(t, Config{Keys: loadKeys(t, "pe-1:"+keyA)}, pskArgs("pe-1", keyA, append(tc.args, "-quiet")...)...)
			proven(t, s, tc.v, tc.suite)
			defer s.Close()
			converse(t, o, s)
		})
	}
}

func TestOpenSSLClientIsRefused(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		want string // OpenSSL's word for the alert
	}{
		{"wrong key, 1.3", pskArgs("pe-1", keyB, "-tls1_3"), "alert illegal parameter"},
		{"unknown identity, 1.3", pskArgs("pe-2", keyA, "-tls1_3"), "alert illegal parameter"},
		{"wrong key, 1.2", pskArgs("pe-1", keyB, "-tls1_2"), "alert bad record mac"},
		{"unknown identity, 1.2", pskArgs("pe-2", keyA, "-tls1_2"), "alert bad record mac"},
		{"no key, 1.3", []string{"-tls1_3"}, "alert handshake failure"},
		{"no key, 1.2", []string{"-tls1_2"}, "alert handshake failure"},
		{"SHA-384 only", pskArgs("pe-1", keyA, "-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"), "alert handshake failure"},
		{"RSA_PSK only", pskArgs("pe-1", keyA, "-tls1_2", "-cipher", "RSA-PSK-AES128-CBC-SHA"), "alert handshake failure"},
		{"TLS 1.1", pskArgs("pe-1", keyA, "-tls1_1", "-cipher", "PSK:@SECLEVEL=0"), "alert protocol version"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o, s := sClient(t, Config{Keys: loadKeys(t, "pe-1:"+keyA)}, tc.args...)
			if err := s.HandshakeContext(t.Context()); err == nil {
				t.Error("it got in")
			}
			s.Close()
			said, err := io.ReadAll(o.stderr)
			if err != nil || !strings.Contains(string(said), tc.want) {
				t.Errorf("%q not in %q, %v", tc.want, said, err)
			}
		})
	}
}

func TestNoTickets(t *testing.T) {
	for _, v := range versions {
		o, s := sClient(t, Config{Keys: loadKeys(t, "pe-1:"+keyA)}, pskArgs("pe-1", keyA, flag(v))...)
		if err := s.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		o.say(t, "hello\n")
		expect(t, s, "hello\n")
		s.Close() // s_client ends, so that its output is whole
		said, err := io.ReadAll(o.stdout)
		if err != nil || !bytes.Contains(said, []byte("Cipher")) {
			t.Fatalf("%v: %q, %v", v, said, err)
		}
		if bytes.Contains(bytes.ToLower(said), []byte("session ticket")) {
			t.Errorf("%v: the server sent a ticket:\n%s", v, said)
		}
		if v == TLS12 && !bytes.Contains(said, []byte("Session-ID: \n")) {
			t.Errorf("%v: the server gave a session ID:\n%s", v, said)
		}
	}
}

func TestOpenSSLServer(t *testing.T) {
	for _, v := range versions {
		t.Run(v.String(), func(t *testing.T) {
			c, o := sServer(t, keyA, v)
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
			line(t, o.stdout, "hello")
			o.say(t, "world\n")
			expect(t, c, "world\n")
		})
		t.Run(v.String()+", wrong key", func(t *testing.T) {
			c, _ := sServer(t, keyB, v)
			if err := c.HandshakeContext(t.Context()); err == nil {
				t.Error("the client took a wrong key")
			}
			c.Close()
		})
	}
}

// sServer connects a Client of ours to s_server, before its handshake.
func sServer(t *testing.T, key string, v Version) (*Conn, *program) {
	t.Helper()
	o := start(t, "openssl", "s_server", "-accept", "127.0.0.1:0", "-nocert", "-psk_identity", "pe-1", "-psk", key, flag(v))
	addr := strings.TrimPrefix(line(t, o.stdout, "ACCEPT "), "ACCEPT ")
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatalf("s_server at %q: %v", addr, err)
	}
	return clientOf(t, conn), o
}
