// SPDX-License-Identifier: Apache-2.0

package psk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// recorder keeps what comes in from the peer.
type recorder struct {
	net.Conn
	mu   sync.Mutex
	seen bytes.Buffer
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen.Write(p[:n])
	return n, err
}

func (r *recorder) bytes() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.seen.Bytes())
}

// attempt lets a client try, and returns what it got to see and both errors.
func attempt(t *testing.T, v Version, server Config, identity, key string) (seen []byte, cerr, serr error) {
	t.Helper()
	client, accepted := pipe(t)
	rec := &recorder{Conn: client}
	c := Client(rec, Config{Keys: loadKeys(t, identity+":"+key), Identity: identity, MinVersion: v, MaxVersion: v})
	cerr, serr = shake(t, c, Server(accepted, server))
	return rec.bytes(), cerr, serr
}

// shape lists the records of one direction: the type and length of each, and the
// content of alerts. Random values do not show.
func shape(t *testing.T, stream []byte) string {
	t.Helper()
	var b strings.Builder
	for len(stream) > 0 {
		if len(stream) < 5 {
			t.Fatalf("a part of a record: %x", stream)
		}
		n := int(stream[3])<<8 | int(stream[4])
		fmt.Fprintf(&b, "%#02x %x %d", stream[0], stream[1:3], n)
		if stream[0] == recordAlert {
			fmt.Fprintf(&b, " %x", stream[5:5+n])
		}
		b.WriteByte('\n')
		stream = stream[5+n:]
	}
	return b.String()
}

func TestUnknownIdentityLooksLikeWrongKey(t *testing.T) {
	for _, v := range versions {
		t.Run(v.String(), func(t *testing.T) {
			server := Config{Keys: loadKeys(t, "pe-1:"+keyA, "edge:"+keyA+"00"), Identity: "edge"}
			wrong, cerr, serr := attempt(t, v, server, "pe-1", keyB)
			if cerr == nil || serr == nil || !strings.Contains(serr.Error(), `claims to be "pe-1"`) {
				t.Fatalf("wrong key: client %v, server %v", cerr, serr)
			}
			if want := shape(t, wrong); !strings.Contains(want, "0x15") {
				t.Fatalf("no alert for a wrong key:\n%s", want)
			}
			for _, other := range []struct{ name, identity, key string }{
				{"unknown identity", "pe-2", keyA},
				{"unknown identity, long key", "pe-2", strings.Repeat("ab", 256)},
				{"our own identity", "edge", keyA + "00"},
			} {
				seen, cerr2, serr := attempt(t, v, server, other.identity, other.key)
				if serr == nil {
					t.Fatalf("%s got in", other.name)
				}
				if got, want := shape(t, seen), shape(t, wrong); got != want {
					t.Errorf("%s sees\n%sa wrong key sees\n%s", other.name, got, want)
				}
				if v == TLS13 && !bytes.Equal(seen, wrong) {
					t.Errorf("%s sees %x, a wrong key sees %x", other.name, seen, wrong)
				}
				if cerr2 == nil || cerr2.Error() != cerr.Error() {
					t.Errorf("%s: %v; wrong key: %v", other.name, cerr2, cerr)
				}
			}
		})
	}
}

func TestOwnIdentityIsRefused(t *testing.T) {
	for _, v := range versions {
		server := Config{Keys: loadKeys(t, "edge:"+keyA), Identity: "edge"}
		_, cerr, serr := attempt(t, v, server, "edge", keyA)
		if cerr == nil || !errors.Is(serr, ErrOwnIdentity) {
			t.Errorf("%v: client %v, server %v", v, cerr, serr)
		}
	}
}

func TestServerNamesTheUnknownIdentity(t *testing.T) {
	for _, v := range versions {
		_, _, serr := attempt(t, v, Config{Keys: loadKeys(t, "pe-1:"+keyA)}, `a"b`, keyA)
		if serr == nil || !strings.Contains(serr.Error(), `no key for the identity "a\"b"`) {
			t.Errorf("%v: %v", v, serr)
		}
	}
}

func TestNoCommonVersion(t *testing.T) {
	for _, v := range versions {
		other := TLS12 + TLS13 - v
		server := Config{Keys: loadKeys(t, "pe-1:"+keyA), MinVersion: other, MaxVersion: other}
		_, cerr, serr := attempt(t, v, server, "pe-1", keyA)
		if cerr == nil || serr == nil {
			t.Errorf("client %v, server %v: client %v, server %v", v, other, cerr, serr)
		}
	}
}

func TestBadConfigIsRefused(t *testing.T) {
	keys := loadKeys(t, "pe-1:"+keyA)
	for _, tc := range []struct {
		name   string
		cfg    Config
		server bool
		want   string
	}{
		{"no keys", Config{Identity: "pe-1"}, false, "no keys"},
		{"no identity", Config{Keys: keys}, false, "needs an identity"},
		{"no key for it", Config{Keys: keys, Identity: "pe-2"}, false, `no key for the identity "pe-2"`},
		{"old version", Config{Keys: keys, MinVersion: 0x0302}, true, "0x0302"},
		{"long own identity", Config{Keys: keys, Identity: strings.Repeat("x", 129)}, true, "limit is 128"},
		{"no version left", Config{Keys: keys, MinVersion: TLS13, MaxVersion: TLS12}, true, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client, server := pipe(t)
			conn := Client(client, tc.cfg)
			if tc.server {
				client.Close()
				conn = Server(server, tc.cfg)
			}
			err := conn.HandshakeContext(t.Context())
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
			conn.Close()
		})
	}
}

func TestNoDataBeforeTheHandshake(t *testing.T) {
	client, _ := pipe(t)
	c := Client(client, Config{Keys: loadKeys(t, "pe-1:"+keyA), Identity: "pe-1"})
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, errHandshake) {
		t.Errorf("read: %v", err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, errHandshake) {
		t.Errorf("write: %v", err)
	}
	if c.PeerIdentity() != "" {
		t.Error("an identity before the handshake")
	}
}

func TestServerRefusesPlainTextAtOnce(t *testing.T) {
	client, server := pipe(t)
	if _, err := client.Write([]byte{1}); err != nil { // and no more: ASAP_REGISTRATION
		t.Fatal(err)
	}
	s := Server(server, Config{Keys: loadKeys(t, "pe-1:"+keyA)})
	if err := s.HandshakeContext(t.Context()); !errors.Is(err, ErrNotTLS) {
		t.Errorf("server: %v", err)
	}
	s.Close()
	if rest, err := io.ReadAll(client); len(rest) > 0 || err != nil {
		t.Errorf("the plain-text peer sees %x, %v", rest, err)
	}
}

func TestClientRefusesPlainTextAtOnce(t *testing.T) {
	client, server := pipe(t)
	if _, err := server.Write([]byte("H")); err != nil {
		t.Fatal(err)
	}
	c := Client(client, Config{Keys: loadKeys(t, "pe-1:"+keyA), Identity: "pe-1"})
	if err := c.HandshakeContext(t.Context()); !errors.Is(err, ErrNotTLS) {
		t.Errorf("client: %v", err)
	}
	c.Close()
}

// TestHandshakeTakesOnlySoManyBytes sends a ClientHello that says it has 128 KiB.
func TestHandshakeTakesOnlySoManyBytes(t *testing.T) {
	client, server := pipe(t)
	s := Server(server, Config{Keys: loadKeys(t, "pe-1:"+keyA)})
	done := make(chan error, 1)
	go func() { done <- s.HandshakeContext(t.Context()); s.Close() }()
	record := append([]byte{recordHandshake, 3, 1, 0x10, 0}, make([]byte, 0x1000)...)
	copy(record[5:], []byte{1, 0x02, 0, 0}) // client_hello, length 0x020000
	sent := 0
	for range 64 {
		n, err := client.Write(record)
		sent += n
		if err != nil {
			break
		}
	}
	if err := <-done; err == nil || !strings.Contains(err.Error(), "too many bytes") {
		t.Errorf("after %d bytes: %v", sent, err)
	}
}
