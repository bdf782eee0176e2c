// SPDX-License-Identifier: Apache-2.0

package psk

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	keyA = "000102030405060708090a0b0c0d0e0f"
	keyB = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
	// patience is how long a test waits for what must come.
	patience = 20 * time.Second
)

var versions = []Version{TLS12, TLS13}

func keyFile(t testing.TB, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func loadKeys(t testing.TB, lines ...string) *Keys {
	t.Helper()
	keys, err := LoadKeys(keyFile(t, lines...))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// pipe returns both ends of a TCP connection on the loopback interface, with a
// deadline that ends a test which hangs.
func pipe(t testing.TB) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{client, server} {
		t.Cleanup(func() { c.Close() })
		if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
	}
	return client, server
}

// shake runs both sides' handshakes; a side that fails closes.
func shake(t testing.TB, c, s *Conn) (clientErr, serverErr error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- handshakeOrClose(ctx, c) }()
	serverErr = handshakeOrClose(ctx, s)
	t.Cleanup(func() { c.Close(); s.Close() })
	return <-done, serverErr
}

func handshakeOrClose(ctx context.Context, c *Conn) error {
	err := c.HandshakeContext(ctx)
	if err != nil {
		c.Close()
	}
	return err
}
