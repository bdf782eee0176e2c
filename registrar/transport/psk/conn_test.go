// SPDX-License-Identifier: Apache-2.0

package psk

import (
	"errors"
	"io"
	"testing"
)

func TestHandshakeAndEcho(t *testing.T) {
	for _, v := range versions {
		t.Run(v.String(), func(t *testing.T) {
			keys := loadKeys(t, "pe-1:"+keyA)
			client, server := pipe(t)
			c := Client(client, Config{Keys: keys, Identity: "pe-1", MinVersion: v, MaxVersion: v})
			s := Server(server, Config{Keys: keys})
			if cerr, serr := shake(t, c, s); cerr != nil || serr != nil {
				t.Fatalf("client: %v, server: %v", cerr, serr)
			}
			if c.PeerIdentity() != "pe-1" || s.PeerIdentity() != "pe-1" {
				t.Errorf("identities %q and %q", c.PeerIdentity(), s.PeerIdentity())
			}
			if got, suite := s.Suite(); got != v {
				t.Errorf("version %v, suite %s", got, suite)
			}
			if _, err := c.Write([]byte("ping")); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 10)
			n, err := s.Read(buf)
			if err != nil || string(buf[:n]) != "ping" {
				t.Fatalf("%q, %v", buf[:n], err)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			if n, err := s.Read(buf); n != 0 || !errors.Is(err, io.EOF) {
				t.Errorf("after a clean close: %d, %v", n, err)
			}
		})
	}
}
