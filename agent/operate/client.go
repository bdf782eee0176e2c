// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"syscall"
)

// FetchStatus asks the process behind the control socket at path for its status
// document, as JSON. Its errors say what to do.
func FetchStatus(ctx context.Context, path string) ([]byte, error) {
	code, body, err := ask(ctx, path, http.MethodGet, statusPath, nil)
	switch {
	case err != nil:
		return nil, err
	case code != http.StatusOK:
		return nil, fmt.Errorf("weir at %s cannot tell its status: %.200s", path, body)
	}
	return body, nil
}

// Order gives the process behind the control socket at path a command, and fills
// in its answer. Its errors are those of the process, or say what to do.
func Order(ctx context.Context, path, command string, request, answer any) error {
	text, err := json.Marshal(request)
	if err != nil {
		return err
	}
	code, body, err := ask(ctx, path, http.MethodPost, commandPath+command, text)
	switch {
	case err != nil:
		return err
	case code == http.StatusNotFound || code == http.StatusMethodNotAllowed:
		return fmt.Errorf("weir at %s takes no such order: it is no gateway, or an older one", path)
	case code != http.StatusOK:
		return fmt.Errorf("%.*s", mostText, bytes.TrimSpace(body))
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return fmt.Errorf("read the answer of weir at %s: %w", path, err)
	}
	return nil
}

// ask sends one request, and returns the status code and body of its response.
func ask(ctx context.Context, path, method, at string, body []byte) (code int, answer []byte, err error) {
	client := http.Client{Timeout: 2 * StatusTimeout, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, method, "http://weir"+at, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, unreachable(path, err)
	}
	defer response.Body.Close()
	if answer, err = io.ReadAll(response.Body); err != nil {
		return 0, nil, fmt.Errorf("read the answer of weir at %s: %w", path, err)
	}
	return response.StatusCode, answer, nil
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
