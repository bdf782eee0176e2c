// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// answers are what a command or a page may say.
var answers = []struct {
	text string
	want float64
	ok   bool
}{
	{"0", 0, true}, {"100", 1, true}, {" 12.5\n", 0.125, true}, {"1e1", 0.1, true},
	{"", 0, false}, {"-1", 0, false}, {"100.1", 0, false}, {"NaN", 0, false}, {"inf", 0, false},
	{"50%", 0, false}, {"50 60", 0, false}, {"50\n" + strings.Repeat("x", 1<<20), 0, false},
}

func TestHTTP(t *testing.T) {
	mux := http.NewServeMux()
	for i, a := range answers {
		mux.HandleFunc("/"+strconv.Itoa(i), func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(a.text)) })
	}
	mux.HandleFunc("/fault", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503); w.Write([]byte("50")) })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/1", http.StatusFound) })
	mux.HandleFunc("/hung", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	server := httptest.NewServer(mux)
	defer server.Close()
	for i, a := range answers {
		got, err := HTTP(server.URL + "/" + strconv.Itoa(i))(t.Context())
		if (err == nil) != a.ok || got != a.want {
			t.Errorf("%.20q: %v, %v, want %v, ok: %v", a.text, got, err, a.want, a.ok)
		}
	}
	for _, path := range []string{"/fault", "/moved", "/none"} {
		if v, err := HTTP(server.URL + path)(t.Context()); err == nil || !strings.Contains(err.Error(), "status") {
			t.Errorf("%s: %v, %v, want an error with the status", path, v, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := HTTP(server.URL + "/hung")(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a hung server: %v, want %v", err, context.DeadlineExceeded)
	}
}

func script(t *testing.T, lines string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "load")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+lines+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCommand(t *testing.T) {
	path := filepath.Join(t.TempDir(), "answer")
	for _, a := range answers {
		write(t, path, a.text)
		got, err := Command([]string{"cat", path})(t.Context())
		if (err == nil) != a.ok || got != a.want {
			t.Errorf("%.20q: %v, %v, want %v, ok: %v", a.text, got, err, a.want, a.ok)
		}
	}
	if v, err := Command([]string{script(t, "echo 50; echo 60 >&2; exit 3")})(t.Context()); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("a command that fails: %v, %v, want its status", v, err)
	}
	if v, err := Command([]string{path + ".not"})(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such command: %v, %v, want %v", v, err, os.ErrNotExist)
	}
}

// Metacharacters of a shell are a program's argument like any other.
func TestCommandIsNoShell(t *testing.T) {
	witness := filepath.Join(t.TempDir(), "witness")
	if v, err := Command([]string{"echo", "50;", "touch", witness})(t.Context()); err == nil {
		t.Errorf("load %v, want an error: the answer is no number", v)
	}
	if _, err := os.Stat(witness); err == nil {
		t.Error("a shell ran")
	}
}

// A command that does not end, and one that leaves a child behind that holds the pipe, are gone when the time is over.
func TestCommandIsKilledWithItsChildren(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	slow := script(t, "sleep 600 & echo $! >"+pids+"; echo $$ >>"+pids+"; echo 50; wait")
	ctx, cancel := context.WithCancelCause(t.Context())
	tired := time.AfterFunc(20*time.Second, func() { cancel(errors.New("the command wrote no pids")) })
	defer tired.Stop()
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() {
		for ctx.Err() == nil {
			if data, err := os.ReadFile(pids); err == nil && strings.Count(string(data), "\n") == 2 {
				cancel(nil)
			}
		}
	})
	if _, err := Command([]string{slow})(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want %v", err, context.Canceled)
	}
	data, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(context.Cause(ctx), err)
	}
	for _, field := range strings.Fields(string(data)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		if running(pid) {
			t.Errorf("process %d still runs", pid)
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// A command that ends well, and leaves a child behind: every two seconds another one.
func TestCommandLeavesNothingBehind(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	if v, err := Command([]string{script(t, "sleep 600 >/dev/null 2>&1 & echo $! >"+pids+"; echo 50")})(t.Context()); err != nil || v != 0.5 {
		t.Fatalf("load %v, error %v", v, err)
	}
	data, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	if running(pid) {
		t.Errorf("process %d still runs", pid)
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

// running is false of a process that is gone, and of one that is dead and waits for its parent.
func running(pid int) bool {
	for range 1000 { // death by a signal is not at once
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return false
		}
	}
	return true
}
