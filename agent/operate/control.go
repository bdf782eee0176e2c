// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
// where the status document is served over HTTP, and commands are taken by their
// names, from its owner alone. What a dead process left there is replaced; a live
// one is not.
func ListenControl(path string, source Source, commands map[string]Command) (*Server, error) {
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
	mux.HandleFunc("POST "+commandPath+"{name}", commandHandler(commands))
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
		writeDocument(w, body)
	}
}

func writeDocument(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(body, '\n')) // the client is gone if this fails
}
