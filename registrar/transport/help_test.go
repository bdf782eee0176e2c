// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/transport/psk"
)

const (
	keyA = "000102030405060708090a0b0c0d0e0f"
	keyB = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
	// patience is how long a test waits for what must come.
	patience = 60 * time.Second
)

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

func loadKeys(t testing.TB, lines ...string) *psk.Keys {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := psk.LoadKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// listen fills in what cfg leaves open. The channel gets every refusal.
func listen(t testing.TB, cfg ListenConfig) (*Listener, <-chan Refusal) {
	t.Helper()
	refusals := make(chan Refusal, 10_000)
	cfg.OnRefused = func(r Refusal) { refusals <- r }
	if !cfg.Addr.IsValid() {
		cfg.Addr = loopback
	}
	if cfg.Keys == nil {
		cfg.Keys = loadKeys(t, "pe-1:"+keyA)
	}
	l, err := Listen(testContext(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, refusals
}

func dialConfig(t testing.TB, l *Listener) DialConfig {
	t.Helper()
	return DialConfig{Remote: l.Addr(), Identity: "pe-1", Keys: loadKeys(t, "pe-1:"+keyA)}
}

// sessions returns both ends of a proven session over the loopback interface.
func sessions(t testing.TB) (client, server *Session) {
	t.Helper()
	return ways[0].sessions(t)
}

// rawDial connects without TLS; its deadline ends a test that hangs.
func rawDial(t testing.TB, l *Listener) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func refusal(t testing.TB, refusals <-chan Refusal) Refusal {
	t.Helper()
	select {
	case r := <-refusals:
		return r
	case <-time.After(patience):
		t.Fatal("nobody was refused")
		return Refusal{}
	}
}

// message builds an ASAP message of n bytes, header and all.
func message(n int) []byte {
	msg := make([]byte, n)
	for i := range msg {
		msg[i] = byte(i * 7)
	}
	msg[0], msg[1] = 1, 0
	binary.BigEndian.PutUint16(msg[2:], uint16(n))
	return msg
}
