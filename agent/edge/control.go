// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// DefaultControl is where an edge listens for its operator.
const DefaultControl = "/run/weir/edge.sock"

const (
	statusPath = "/v1/status"
	// statusTimeout bounds one reading of the status: the kernel's maps answer in
	// milliseconds, a stuck reader must not hold the socket.
	statusTimeout = 5 * time.Second
)

// controlServer serves the status document over HTTP on a unix socket that only
// its owner may connect to.
type controlServer struct{ localServer }

// listenControl opens the socket at path, in a folder that it makes if needed.
// What a dead edge left there is replaced; a live one is not.
func listenControl(path string, source StatusSource) (*controlServer, error) {
	if err := clearSocket(path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make the control socket's folder: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("open the control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("restrict the control socket: %w", err), l.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+statusPath, statusHandler(source))
	return &controlServer{newLocalServer(l, mux)}, nil
}

// clearSocket removes a socket at path that nobody answers.
func clearSocket(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at the control socket: %w", err)
	case info.Mode()&fs.ModeSocket == 0:
		return fmt.Errorf("%s is not a socket: remove it, or choose another path for control", path)
	}
	alive, err := answers(path)
	switch {
	case err != nil:
		return err
	case alive:
		return fmt.Errorf("another weir edge answers at %s: stop it first, or choose another path for control", path)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the socket of a dead edge: %w", err)
	}
	return nil
}

// answers tells whether an edge is alive behind the socket at path.
func answers(path string) (bool, error) {
	conn, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		return true, conn.Close()
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return false, nil
	}
	return false, fmt.Errorf("ask whether an edge is alive at %s: %w", path, err)
}

func statusHandler(source StatusSource) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), statusTimeout)
		defer cancel()
		status, err := source.Status(ctx)
		var body []byte
		if err == nil {
			body, err = json.MarshalIndent(status, "", "  ")
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(append(body, '\n')) // the client is gone if this fails
	}
}

// FetchStatus asks the edge behind the control socket at path for its status
// document, as JSON. Its errors say what to do.
func FetchStatus(ctx context.Context, path string) ([]byte, error) {
	client := http.Client{Timeout: 2 * statusTimeout, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://edge"+statusPath, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, unreachable(path, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the status from %s: %w", path, err)
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the edge at %s cannot tell its status: %.200s", path, body)
	}
	return body, nil
}

// unreachable words why nobody answered at path.
func unreachable(path string, err error) error {
	var cause syscall.Errno
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("not permitted to connect to %s: run as root", path)
	case errors.As(err, &cause):
		return fmt.Errorf("nobody answers at %s (%w): is weir edge running, and does its configuration name this control socket?", path, cause)
	}
	return fmt.Errorf("ask the edge at %s: %w", path, err)
}
