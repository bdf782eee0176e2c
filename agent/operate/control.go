// SPDX-License-Identifier: Apache-2.0

package operate

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

// Role is what a process is: what its operator calls it.
type Role string

// The roles with a control socket.
const (
	Edge      Role = "edge"
	Registrar Role = "registrar"
)

// DefaultControl is where a process of this role listens for its operator.
func (r Role) DefaultControl() string { return "/run/weir/" + string(r) + ".sock" }

// Source gives what the control socket shows, to be encoded as JSON. It is called from several goroutines at once.
type Source func(ctx context.Context) (document any, err error)

const (
	statusPath = "/v1/status"
	// StatusTimeout bounds one reading of the status: the kernel's maps answer in
	// milliseconds, a stuck reader must not hold the socket.
	StatusTimeout = 5 * time.Second
)

// ListenControl opens the socket at path, in a folder that it makes if needed,
// where the status document is served over HTTP to its owner alone. What a dead
// process left there is replaced; a live one is not.
func ListenControl(path string, source Source) (*Server, error) {
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
	return newServer(l, mux), nil
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
	alive, err := Answers(path)
	switch {
	case err != nil:
		return err
	case alive:
		return fmt.Errorf("another weir answers at %s: stop it first, or choose another path for control", path)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the socket of a dead process: %w", err)
	}
	return nil
}

// Answers tells whether a process is alive behind the socket at path.
func Answers(path string) (bool, error) {
	conn, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		return true, conn.Close()
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return false, nil
	}
	return false, fmt.Errorf("ask whether somebody is alive at %s: %w", path, err)
}

func statusHandler(source Source) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), StatusTimeout)
		defer cancel()
		status, err := source(ctx)
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

// FetchStatus asks the process behind the control socket at path for its status
// document, as JSON. Its errors say what to do.
func FetchStatus(ctx context.Context, path string) ([]byte, error) {
	client := http.Client{Timeout: 2 * StatusTimeout, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://weir"+statusPath, nil)
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
		return nil, fmt.Errorf("weir at %s cannot tell its status: %.200s", path, body)
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
		return fmt.Errorf("nobody answers at %s (%w): is weir edge or weir registrar running, and does its configuration name this control socket?", path, cause)
	}
	return fmt.Errorf("ask weir at %s: %w", path, err)
}
