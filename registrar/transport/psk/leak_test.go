// SPDX-License-Identifier: Apache-2.0

package psk

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// usage is what a leak would make grow.
type usage struct {
	goroutines, files, pages int
}

func measure(t *testing.T) (u usage) {
	t.Helper()
	debug.FreeOSMemory()
	u.goroutines = runtime.NumGoroutine()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	u.files = len(files)
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var total int
	if _, err := fmt.Sscan(string(statm), &total, &u.pages); err != nil {
		t.Fatal(err)
	}
	return u
}

// TestThousandHandshakesLeaveNothing: OpenSSL's objects are out of the garbage
// collector's sight, and take some 50 KiB a connection.
func TestThousandHandshakesLeaveNothing(t *testing.T) {
	keys, wrong := loadKeys(t, "pe-1:"+keyA), loadKeys(t, "pe-1:"+keyB)
	run := func(n int) {
		for i := range n {
			client := keys
			if i%4 == 3 {
				client = wrong // failures must leave nothing either
			}
			if ok := connectOnce(t, client, keys, versions[i%2]); ok != (client == keys) {
				t.Fatalf("handshake %d: %v", i, ok)
			}
		}
	}
	run(200)
	before := measure(t)
	run(1000)
	after := measure(t)
	for deadline := time.Now().Add(patience); after.goroutines > before.goroutines && time.Now().Before(deadline); {
		runtime.Gosched() // they have been told to end
		after = measure(t)
	}
	if after.goroutines > before.goroutines || after.files > before.files {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if grown := (after.pages - before.pages) * os.Getpagesize(); grown > 24<<20 { // what 1000 leak is 80 MiB or more
		t.Errorf("memory grew by %d KiB", grown>>10)
	}
}

func connectOnce(t testing.TB, clientKeys, serverKeys *Keys, v Version) bool {
	client, server := pipe(t)
	c := Client(client, Config{Keys: clientKeys, Identity: "pe-1", MinVersion: v, MaxVersion: v})
	s := Server(server, Config{Keys: serverKeys})
	done := make(chan error, 1)
	go func() {
		err := c.HandshakeContext(context.Background())
		c.Close()
		done <- err
	}()
	err := s.HandshakeContext(context.Background())
	s.Close()
	return <-done == nil && err == nil
}
