// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// orders are the commands of a test: one that answers with what it was asked, and one that cannot.
func orders() map[string]Command {
	return map[string]Command{
		"echo":   func(_ context.Context, request []byte) (any, error) { return string(request), nil },
		"refuse": func(context.Context, []byte) (any, error) { return nil, errors.New(`pool "wob" is unknown`) },
	}
}

func TestOrder(t *testing.T) {
	folder := t.TempDir()
	edge, registrar := filepath.Join(folder, "edge.sock"), filepath.Join(folder, "registrar.sock")
	serveCommands(t, edge, fixed(nil, nil), orders())
	serveControl(t, registrar, fixed(nil, nil))
	for _, tc := range []struct {
		name, path, command string
		request             any
		want                string // the answer, or the error
	}{
		{"taken", edge, "echo", document{true, "weir"}, `{"ready":true,"name":"weir"}`},
		{"refused, in the process's words", edge, "refuse", nil, `pool "wob" is unknown`},
		{"unknown", edge, "explode", nil, "weir at " + edge + " takes no such order: it is no gateway, or an older one"},
		{"of a registrar", registrar, "echo", nil, "weir at " + registrar + " takes no such order: it is no gateway, or an older one"},
		{"too large", edge, "echo", strings.Repeat("x", mostRequest), "an order is too large: http: request body too large"},
		{"nobody there", filepath.Join(folder, "absent"), "echo", nil, "nobody answers at " + filepath.Join(folder, "absent") +
			" (no such file or directory): is weir edge or weir registrar running, and does its configuration name this control socket?"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got string
			if err := Order(t.Context(), tc.path, tc.command, tc.request, &got); err != nil {
				got = err.Error()
			}
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}
