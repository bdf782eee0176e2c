// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

func TestProbeChecksAtOnceAndEveryInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		results, ended := make(chan error), make(chan struct{})
		began := time.Now()
		go func() {
			defer close(ended)
			probe(ctx, func(context.Context) error { return errSick }, time.Second, results)
		}()
		for i := range 4 {
			if err := <-results; !errors.Is(err, errSick) {
				t.Errorf("result %v, want %v", err, errSick)
			}
			if got, want := time.Since(began), time.Duration(i)*time.Second; got != want {
				t.Errorf("result %d after %v, want %v", i, got, want)
			}
		}
		cancel()
		<-ended
	})
}

func TestProbeLimitsACheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		results, ended := make(chan error), make(chan struct{})
		began := time.Now()
		go func() {
			defer close(ended)
			probe(ctx, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, time.Second, results)
		}()
		// Three hung checks: the server is out of the pool 3 s after it hangs.
		for range 3 {
			if err := <-results; !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("result %v, want %v", err, context.DeadlineExceeded)
			}
		}
		if got := time.Since(began); got != 3*time.Second {
			t.Errorf("three hung checks took %v, want 3s", got)
		}
		cancel()
		<-ended
	})
}

func TestCheckHTTP(t *testing.T) {
	mux := http.NewServeMux()
	for path, status := range map[string]int{"/200": 200, "/204": 204, "/301": 301, "/399": 399, "/400": 400, "/503": 503} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/503") // following it would fail
			w.WriteHeader(status)
		})
	}
	server := httptest.NewServer(mux)
	defer server.Close()
	for path, well := range map[string]bool{"/200": true, "/204": true, "/301": true, "/399": true, "/400": false, "/503": false} {
		if err := CheckHTTP(server.URL + path)(t.Context()); (err == nil) != well {
			t.Errorf("%s: %v, want well: %v", path, err, well)
		}
	}
	server.Close()
	if err := CheckHTTP(server.URL + "/200")(t.Context()); err == nil {
		t.Error("a server that is gone is well")
	}
}

func TestCheckTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	check := CheckTCP(l.Addr().String())
	if err := check(t.Context()); err != nil {
		t.Errorf("a listening server is not well: %v", err)
	}
	l.Close()
	if err := check(t.Context()); err == nil {
		t.Error("a server that is gone is well")
	}
}
