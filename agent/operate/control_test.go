// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// serveControl runs a control server until the test ends or stop is called.
func serveControl(t *testing.T, path string, source Source) (stop func()) {
	t.Helper()
	return serveCommands(t, path, source, nil)
}

func serveCommands(t *testing.T, path string, source Source, commands map[string]Command) (stop func()) {
	t.Helper()
	server, err := ListenControl(path, source, commands)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-done, server.Close()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func TestControlServesTheStatus(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "edge.sock") // the folder is made
	want := exampleDocument()
	stop := serveControl(t, path, fixed(want, nil))
	text, err := FetchStatus(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	var got document
	if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, got, want)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("socket: %v, %v", info.Mode(), err)
	}
	stop()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket outlived its server: %v", err)
	}
}

func TestControlReplacesADeadSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false) // as a killed process would leave it
	l.Close()
	serveControl(t, path, fixed(exampleDocument(), nil))
	if _, err := FetchStatus(t.Context(), path); err != nil {
		t.Error(err)
	}
}

func TestControlRefusesALiveSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.sock")
	serveControl(t, path, fixed(exampleDocument(), nil))
	_, err := ListenControl(path, fixed(nil, nil), nil)
	want := "another weir answers at " + path + ": stop it first, or choose another path for control"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := FetchStatus(t.Context(), path); err != nil {
		t.Errorf("the live one was harmed: %v", err)
	}
}

func TestControlKeepsWhatIsNoSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(path, []byte("data"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := ListenControl(path, fixed(nil, nil), nil)
	if err == nil || err.Error() != path+" is not a socket: remove it, or choose another path for control" {
		t.Errorf("%v", err)
	}
	if data, err := os.ReadFile(path); string(data) != "data" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestControlClosesWithoutRunning(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.sock")
	server, err := ListenControl(path, fixed(nil, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket outlived its server: %v", err)
	}
}

func TestFetchStatusSaysWhatToDo(t *testing.T) {
	folder := t.TempDir()
	absent := filepath.Join(folder, "absent.sock")
	failing := filepath.Join(folder, "failing.sock")
	serveControl(t, failing, fixed(nil, errors.New("read counter not_ours: map is gone")))
	for path, want := range map[string]string{
		absent: "nobody answers at " + absent +
			" (no such file or directory): is weir edge or weir registrar running, and does its configuration name this control socket?",
		failing: "weir at " + failing + " cannot tell its status: read counter not_ours: map is gone",
	} {
		if _, err := FetchStatus(t.Context(), path); err == nil || strings.TrimSpace(err.Error()) != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestFetchStatusEndsWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.sock")
	asked := make(chan struct{})
	serveControl(t, path, func(ctx context.Context) (any, error) {
		close(asked)
		<-ctx.Done() // the client went away
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, err := FetchStatus(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// document stands for a status.
type document struct {
	Ready bool   `json:"ready"`
	Name  string `json:"name"`
}

func exampleDocument() document { return document{true, "weir"} }

func fixed(document any, err error) Source {
	return func(context.Context) (any, error) { return document, err }
}
