// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/wire"
)

// tell sends an update.
func tell(t *testing.T, s *transport.Session, m wire.Message) {
	t.Helper()
	b, err := wire.AppendASAP(nil, m)
	if err == nil {
		err = s.Write(t.Context(), b)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestResolveWatch(t *testing.T) {
	l := listen(t)
	out, stdout := io.Pipe()
	defer out.Close()
	status, stderr, stop := resolving(t, l, stdout, "--watch")
	s := accept(t, l)
	prio := wire.Priority
	first := resolved(wire.PolicyPriority, served(1, prio(9)), served(2, prio(5)))
	if q := answer[*wire.HandleResolution](t, s, first); !q.Subscribe {
		t.Error("asked without the S flag")
	}
	want := func(text string) {
		t.Helper()
		got := make([]byte, len(text))
		if _, err := io.ReadFull(out, got); err != nil || string(got) != text {
			t.Fatalf("printed\n%s(%v), want\n%s", got, err, text)
		}
	}
	want("pool web  policy priority  elements 2\n" +
		"ELEMENT     ADDRESS            VALUES      HOME\n" +
		"0x00000001  tcp://10.0.0.1:80  priority 9  0x0000f00d\n" +
		"0x00000002  tcp://10.0.0.2:80  priority 5  0x0000f00d\n")
	tell(t, s, resolved(wire.PolicyPriority, served(1, prio(9)), served(2, prio(6)), served(3, prio(7))))
	want("~ 0x00000002  tcp://10.0.0.2:80  priority 6  home 0x0000f00d\n" +
		"+ 0x00000003  tcp://10.0.0.3:80  priority 7  home 0x0000f00d\n")
	tell(t, s, resolved(wire.PolicyPriority, served(2, prio(6)), served(3, prio(7))))
	want("- 0x00000001  tcp://10.0.0.1:80  priority 9  home 0x0000f00d\n" +
		"failover 0x00000001 tcp://10.0.0.1:80 -> 0x00000003 tcp://10.0.0.3:80\n")
	tell(t, s, resolved(wire.PolicyPriority, served(3, prio(7)))) // not the one in use
	want("- 0x00000002  tcp://10.0.0.2:80  priority 6  home 0x0000f00d\n")
	tell(t, s, &wire.HandleResolutionResponse{Pool: "web", Causes: []wire.ErrorCause{{Code: wire.CauseUnknownPoolHandle}}})
	want("! there is no such pool\n- 0x00000003  tcp://10.0.0.3:80  priority 7  home 0x0000f00d\n")
	tell(t, s, resolved(wire.PolicyPriority, served(4, prio(1))))
	want("+ 0x00000004  tcp://10.0.0.4:80  priority 1  home 0x0000f00d\n" +
		"failover 0x00000003 tcp://10.0.0.3:80 -> 0x00000004 tcp://10.0.0.4:80\n")
	stop()
	if got := <-status; got != 0 || stderr.String() != "" {
		t.Errorf("status %d: %s", got, stderr)
	}
}

func TestResolveWatchJSON(t *testing.T) {
	l := listen(t)
	out, stdout := io.Pipe()
	defer out.Close()
	status, stderr, stop := resolving(t, l, stdout, "--watch", "--json")
	s := accept(t, l)
	answer[*wire.HandleResolution](t, s, resolved(wire.PolicyRandom, served(1, wire.Random())))
	objects := json.NewDecoder(out)
	want := func(event, with string) {
		t.Helper()
		var object map[string]any
		if err := objects.Decode(&object); err != nil {
			t.Fatal(err)
		}
		all, _ := json.Marshal(object)
		if object["event"] != event || !strings.Contains(string(all), with) {
			t.Errorf("printed %s, want %s with %s", all, event, with)
		}
	}
	want("pool", `"id":"0x00000001"`)
	tell(t, s, resolved(wire.PolicyRandom, served(2, wire.Random())))
	want("pool", `"id":"0x00000002"`)
	want("failover", `"old":{"addresses":["10.0.0.1"]`)
	tell(t, s, &wire.HandleResolutionResponse{Pool: "web", Causes: []wire.ErrorCause{{Code: wire.CauseUnknownPoolHandle}}})
	want("error", `"error":"there is no such pool"`)
	want("pool", `"elements":[]`)
	stop()
	if got := <-status; got != 0 {
		t.Errorf("status %d: %s", got, stderr)
	}
}
