// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// orderSocket takes orders as an edge would, answers each with answer, and notes what came.
func orderSocket(t *testing.T, code int, answer string) (path string, got *[]string) {
	t.Helper()
	path, got = filepath.Join(t.TempDir(), "edge.sock"), new([]string)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*got = append(*got, r.Method+" "+r.URL.Path+" "+string(body))
		w.WriteHeader(code)
		io.WriteString(w, answer)
	})}
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(l) }()
	t.Cleanup(func() { server.Close(); <-done })
	return path, got
}

const orderedDocument = `{"elements": [{"service": "tcp://10.0.100.1:80", "pe": "0x00000001", "identity": "pe-1",
  "address": "10.0.11.2:8080", "weight": 3, "share": 0, "state": "active", "flows": 12, "drained": true}]}`

func TestOrders(t *testing.T) {
	const said = "tcp://10.0.100.1:80  0x00000001 (pe-1) at 10.0.11.2:8080: DRAINED, weight 3, 0.0% of new flows, 12 flows now\n"
	for _, tc := range []struct{ args, want string }{
		{"drain web pe-1", `POST /v1/command/drain {"pool":"web","element":"pe-1"}`},
		{"undrain web 0x00000001", `POST /v1/command/undrain {"pool":"web","element":"0x00000001"}`},
		{"weight web pe-1 0", `POST /v1/command/weight {"pool":"web","element":"pe-1","weight":0}`},
		{"weight web pe-1 auto", `POST /v1/command/weight {"pool":"web","element":"pe-1","weight":null}`},
	} {
		path, got := orderSocket(t, http.StatusOK, orderedDocument)
		want := outcome{0, said, ""}
		if is := inProcess(t, append(strings.Fields(tc.args), "--control", path)...); is != want || len(*got) != 1 || (*got)[0] != tc.want {
			t.Errorf("weir %s:\n got %+v, %q\nwant %+v, %s", tc.args, is, *got, want, tc.want)
		}
	}
}

func TestOrdersThatFail(t *testing.T) {
	refusing, _ := orderSocket(t, http.StatusUnprocessableEntity, `no service has a pool "wob": there are dns, web`+"\n")
	for _, tc := range []struct {
		args string
		want outcome
	}{
		{"drain wob pe-1 --control " + refusing, outcome{1, "", `weir drain: no service has a pool "wob": there are dns, web` + "\n"}},
		{"drain web", outcome{2, "", "weir drain: ELEMENT is missing; weir drain --help shows the usage\n"}},
		{"undrain", outcome{2, "", "weir undrain: POOL is missing; weir undrain --help shows the usage\n"}},
		{"drain web pe-1 pe-2", outcome{2, "", "weir drain: unexpected argument \"pe-2\"; weir drain --help lists the flags\n"}},
		{"weight web pe-1", outcome{2, "", "weir weight: WEIGHT is missing; weir weight --help shows the usage\n"}},
		{"weight web pe-1 -1", outcome{2, "", "weir weight: unknown flag --1; weir weight --help lists the flags\n"}},
		{"weight web pe-1 4294967296", outcome{2, "", "weir weight: WEIGHT \"4294967296\" is neither a number from 0 to 4294967295 nor auto\n"}},
	} {
		if got := inProcess(t, strings.Fields(tc.args)...); got != tc.want {
			t.Errorf("weir %s:\n got %+v\nwant %+v", tc.args, got, tc.want)
		}
	}
}
