// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"slices"
	"testing"
)

func TestSessionCarriesWholeMessages(t *testing.T) {
	overBothFamilies(t, testSessionCarriesWholeMessages)
}

func testSessionCarriesWholeMessages(t *testing.T, w way) {
	client, server := w.sessions(t)
	ctx := testContext(t)
	for _, n := range []int{4, 5, 6, 7, 8, 200, 16383, 16384, 16385, 65532, 65535} {
		want := message(n)
		sent := make(chan error, 1)
		go func() { sent <- client.Write(ctx, want) }()
		got, err := server.Read(ctx)
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes arrive as %d others", n, len(got))
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	}
}

func TestSessionNamesBothEnds(t *testing.T) { overBothFamilies(t, testSessionNamesBothEnds) }

func testSessionNamesBothEnds(t *testing.T, w way) {
	client, server := w.sessions(t)
	names := map[Kind][2]string{Proven: {"pe-1", "pe-1"}, Anonymous: {serverName, ""}}
	if client.Peer() != names[w.kind][0] || server.Peer() != names[w.kind][1] {
		t.Errorf("peers %q and %q", client.Peer(), server.Peer())
	}
	for _, s := range []*Session{client, server} {
		if s.Kind() != w.kind || s.Protocol() != w.protocol {
			t.Errorf("%v over %v", s.Kind(), s.Protocol())
		}
	}
	if client.ID() == server.ID() {
		t.Error("both sessions have one ID")
	}
	if own, seen := client.LocalAddrs(), server.RemoteAddrs(); !sameAddrs(own, seen, w.host()) {
		t.Errorf("the client is at %v, the server sees %v", own, seen)
	}
	if own, seen := server.LocalAddrs(), client.RemoteAddrs(); !sameAddrs(own, seen, w.host()) {
		t.Errorf("the server is at %v, the client sees %v", own, seen)
	}
}

// sameAddrs compares without order, which SCTP has none of: an end that is bound to no address has all of its machine's.
func sameAddrs(own, seen []netip.AddrPort, host netip.Addr) bool {
	slices.SortFunc(own, netip.AddrPort.Compare)
	slices.SortFunc(seen, netip.AddrPort.Compare)
	return slices.Equal(own, seen) && slices.ContainsFunc(own, func(a netip.AddrPort) bool { return a.Addr() == host })
}

func TestSessionEndsCleanly(t *testing.T) { overAll(t, testSessionEndsCleanly) }

func testSessionEndsCleanly(t *testing.T, w way) {
	client, server := w.sessions(t)
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := server.Read(testContext(t)); !isEOF(err) {
			t.Errorf("read after a clean close: %v", err)
		}
	}
	if err := client.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) }
