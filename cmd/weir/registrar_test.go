// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strings"
	"testing"
)

func TestRegistrarCheck(t *testing.T) {
	const good = "registrar: {unsecured: true, asap: [{address: 127.0.0.1}]}\n"
	tests := []struct {
		name string
		text string
		args []string
		want outcome
	}{
		{"good", good, []string{"--config", "r.yaml", "--check"}, outcome{0, "r.yaml: ok\n", ""}},
		{"a fault, even without --check", good + "services: []\n", []string{"--config", "r.yaml"}, outcome{2, "",
			"weir registrar: bad configuration, nothing was started\n" +
				"r.yaml:2: services: unknown key; known here: control, log_level, metrics, registrar\n"}},
		{"no configuration", good, nil, outcome{2, "", "weir registrar: --config is missing; weir registrar --help lists the flags\n"}},
		{"an argument", good, []string{"r.yaml"}, outcome{2, "",
			`weir registrar: unexpected argument "r.yaml"; weir registrar --help lists the flags` + "\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if err := os.WriteFile("r.yaml", []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := inProcess(t, append([]string{"registrar"}, tt.args...)...); got != tt.want {
				t.Errorf("\n got %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestStatusOfARegistrar(t *testing.T) {
	got := inProcess(t, "status", "--control", controlSocket(t, `{"role": "registrar", "registrar": {"server_id": "0x00000001", "secured": true}}`))
	if got.status != 0 || got.stderr != "" || !strings.HasPrefix(got.stdout, "weir registrar  SYNCHRONISING") ||
		!strings.Contains(got.stdout, "\nserver     0x00000001, TLS\n") {
		t.Errorf("%+v", got)
	}
}
