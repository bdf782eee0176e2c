// SPDX-License-Identifier: Apache-2.0

package hunt

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/transport/psk"
)

// patience is far longer than anything here takes; only a fault waits it out.
const patience = 20 * time.Second

const (
	goodKey  = "00112233445566778899aabbccddeeff"
	otherKey = "ffeeddccbbaa99887766554433221100"
)

func keys(t *testing.T, key string) *psk.Keys {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte("pe-1:"+key), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := psk.LoadKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// listen is a registrar that knows pe-1 by this key.
func listen(t *testing.T, key string) *transport.Listener {
	t.Helper()
	l, err := transport.Listen(t.Context(), transport.ListenConfig{
		Addr: netip.MustParseAddrPort("127.0.0.1:0"), Keys: keys(t, key), HandshakeTimeout: patience,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func hunterFor(t *testing.T, at ...netip.AddrPort) *Hunter[*transport.Session] {
	t.Helper()
	cfg := Config[*transport.Session]{
		Dial: Dialer(transport.DialConfig{Identity: "pe-1", Keys: keys(t, goodKey)}, func(netip.Addr) []netip.Addr {
			return []netip.Addr{netip.MustParseAddr("127.0.0.2")}
		}),
	}
	for _, a := range at {
		cfg.Registrars = append(cfg.Registrars, Registrar{a.Addr().String(), a.Port()})
	}
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return netip.MustParseAddrPort(l.Addr().String())
}

func TestGoesOnToTheRegistrarThatProvesItsKey(t *testing.T) {
	nobody, stranger, registrar := closedPort(t), listen(t, otherKey), listen(t, goodKey)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	found, err := hunterFor(t, nobody, stranger.Addr(), registrar.Addr()).Round(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Session.Close()
	if found.Target.Remote != registrar.Addr() {
		t.Errorf("found %v, want %v", found.Target, registrar.Addr())
	}
	if got := found.Session.LocalAddrs()[0].Addr().String(); got != "127.0.0.2" {
		t.Errorf("came from %s, want the local address that was asked for", got)
	}
}

func TestErrorNamesTheUsualReason(t *testing.T) {
	stranger := listen(t, otherKey)
	_, err := hunterFor(t, stranger.Addr()).Round(t.Context())
	want := "no registrar serves us: " + stranger.Addr().String() + `: the registrar has no identity "pe-1" or another key for it`
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want %s…", err, want)
	}
}

// A registrar without a certificate, to which somebody comes without a key.
func TestErrorNamesTheMissingCertificate(t *testing.T) {
	registrar := listen(t, goodKey)
	_, err := Dialer(transport.DialConfig{}, nil)(t.Context(), Target{Host: "127.0.0.1", Remote: registrar.Addr()})
	if want := "the registrar shows no certificate, and may want a pre-shared key: "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want %s…", err, want)
	}
}

// A registrar that is slower than the next one loses its connection at once.
func TestLosersConnectionIsClosed(t *testing.T) {
	slow, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	ended := make(chan error, 1)
	go func() {
		conn, err := slow.Accept() // and answers nothing
		if err == nil {
			_ = conn.SetDeadline(time.Now().Add(patience))
			_, err = io.Copy(io.Discard, conn)
			conn.Close()
		}
		ended <- err
	}()
	registrar := listen(t, goodKey)
	found, err := hunterFor(t, netip.MustParseAddrPort(slow.Addr().String()), registrar.Addr()).Round(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer found.Session.Close()
	if err := <-ended; errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection to the slow registrar stays open")
	}
}
