// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/agent/operate"
	"github.com/weir-lb/weir/registrar"
)

// fixed is a source whose answer never changes.
func fixed(s Status) statusSource {
	return func(context.Context) (Status, error) { return s, nil }
}

// exampleStatus is a gateway with one service in trouble and one without elements.
func exampleStatus() Status {
	return Status{
		Role:       operate.Edge,
		Ready:      true,
		StartedAt:  time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC),
		ServerID:   "0x1a2b3c4d",
		Listen:     "10.0.0.1:3864",
		Interfaces: []InterfaceStatus{{"front0", "native", 2}, {"back0", "generic", 3}},
		Services: []ServiceStatus{
			{VIP: "tcp://10.0.100.1:80", Pool: "web", Policy: "weighted-round-robin", Mode: "nat", Fragments: "forward", OnLoss: "reset", ClientsAsked: 21, Flows: 1239, Elements: []ElementStatus{
				{"0x00000001", "pe-1", "10.0.11.2:8080", 3, 0.75, StateActive, 1234, "0x1a2b3c4d", "back0 02:00:00:00:00:05", false, false, nil},
				{"0x00000002", "pe-2", "10.0.12.2:8080", 1, 0.25, StateActive, 5, "0x1a2b3c4d", "back1 02:00:00:00:00:07", false, true, nil},
				{"0x00000003", "", "10.0.13.2:8080", 2, 0, StateLost, 0, "", "", true, false, nil},
			}},
			{VIP: "udp://10.0.100.1:53", Pool: "dns", Mode: "dsr", Fragments: "drop", OnLoss: "migrate"},
		},
		Verdicts: []VerdictStatus{
			{"not_ours", "pass", "no service, no guarded port, no flow", 7, 700},
			{"guard_source_spent", "drop", "the source's budget of SYNs is spent", 0, 0},
			{"guard_global_spent", "drop", "the budgets of newcomers and challenges are spent", 500123, 27006642},
			{"guard_not_tcp", "drop", "another protocol at the registrar's port", 3, 1536},
			{"steer_forward", "redirect", "to the flow's element", 123456789, 98765432100},
			{"steer_stray", "drop", "RST, ABORT or Reset that belongs to no flow", 0, 0},
		},
		Tallies:   []TallyStatus{{"flow_evicted", "a flow that was only opening gave its entry to a new one", 17}},
		Registrar: exampleStats(),
	}
}

const exampleTable = `weir edge  ready
registrar  10.0.0.1:3864, server 0x1a2b3c4d: 2 sessions, 3 elements in 1 pools
refused    timeout 12, handshake 3
rejected   invalid values 17
interfaces front0 (native), back0 (generic)
up         26h30m5s, since 2026-03-01T03:00:00Z

tcp://10.0.100.1:80  pool web  policy weighted-round-robin  flows 1239  2 of 3 elements active
  ELEMENT     IDENTITY  ADDRESS         WEIGHT   SHARE  STATE              FLOWS  VIA
  0x00000001  pe-1      10.0.11.2:8080       3   75.0%  active              1234  back0
  0x00000002  pe-2      10.0.12.2:8080      =1   25.0%  active                 5  back1
  0x00000003  -         10.0.13.2:8080       2    0.0%  LOST, DRAINED          0  unresolved

udp://10.0.100.1:53  pool dns  policy unknown  flows 0  NO ACTIVE ELEMENT: new flows are refused
  mode dsr  fragments drop  on_loss migrate

DROPPED                      PACKETS     BYTES  REASON
  guard_global_spent          500123       26M  the budgets of newcomers and challenges are spent
  guard_not_tcp                    3      1.5K  another protocol at the registrar's port
  none: guard_source_spent, steer_stray

OTHER VERDICTS          PACKETS     BYTES  REASON
  steer_forward       123456789       92G  to the flow's element
  not_ours                    7      700B  no service, no guarded port, no flow

BESIDE                   TIMES  REASON
  flow_evicted              17  a flow that was only opening gave its entry to a new one
`

func TestWriteTable(t *testing.T) {
	var b strings.Builder
	s := exampleStatus()
	if err := s.WriteTable(&b, s.StartedAt.Add(26*time.Hour+30*time.Minute+5*time.Second+600*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if b.String() != exampleTable {
		t.Errorf("got\n%s\nwant\n%s", b.String(), exampleTable)
	}
	for _, line := range strings.Split(b.String(), "\n") {
		if len(line) > 100 {
			t.Errorf("wider than 100 columns: %q", line)
		}
	}
}

func TestWriteTableOfSelection(t *testing.T) {
	s := exampleStatus()
	due := s.StartedAt.Add(time.Hour)
	s.Selection = SelectionStatus{Shared: true, NextKey: &due}
	s.Services[0].Spread, s.Services[0].Affinity, s.Services[0].Slots = "consistent", "client", 1009
	s.Services[1].Spread, s.Services[1].Affinity, s.Services[1].Slots = "turns", "flow", 65537
	s.Services[1].Allowed, s.Services[1].Denied = 2, 1
	var b strings.Builder
	if err := s.WriteTable(&b, s.StartedAt); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\nselection  by the key of a file, next key 2026-03-01T04:00:00Z\n", "  affinity client  slots 1009\n", "  spread by policy: turns  allows 2 prefixes  denies 1 prefixes\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestWriteTableOfSeveralRegistrars(t *testing.T) {
	s := exampleStatus()
	s.Peers = []operate.PeerStatus{{ServerID: "0x00000002", State: "dead", Address: "tcp://10.0.0.2:9902", Elements: 1}}
	s.Services[0].Elements[1].Home = "0x00000002"
	var b strings.Builder
	if err := s.WriteTable(&b, s.StartedAt); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\n  0x00000002  tcp://10.0.0.2:9902         1  never  DEAD\n",
		"STATE              FLOWS  VIA         HOME\n", "LOST, DRAINED          0  unresolved  -\n", "active                 5  back1       0x00000002\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestWriteTableSaysWhatIsWrong(t *testing.T) {
	tests := []struct {
		name string
		s    Status
		want string
	}{
		{"not ready", Status{}, "weir edge  NOT READY\n"},
		{"recovering", Status{Ready: true, Recovering: true}, "weir edge  ready, RECOVERING: elements of the last run are kept until they register again\n"},
		{"no interface", Status{}, "\ninterfaces NONE\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			if err := tt.s.WriteTable(&b, time.Time{}); err != nil || !strings.Contains(b.String(), tt.want) {
				t.Errorf("%v, got\n%s", err, b.String())
			}
		})
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0B", 999: "999B", 1023: "1023B", 1024: "1.0K", 1536: "1.5K", 10137: "9.9K", 10240: "10K",
		1 << 20: "1.0M", 98765432100: "92G", 1<<64 - 1: "16E",
	} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %s, want %s", n, got, want)
		}
	}
}

// The document's keys are an interface: monitoring and the demo read them.
func TestStatusKeys(t *testing.T) {
	text, err := json.Marshal(exampleStatus())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`{"role":"edge","ready":true,"recovering":false,"synchronised":false,"started_at":"2026-03-01T03:00:00Z","server_id":"0x1a2b3c4d","listen":"10.0.0.1:3864",`,
		`"interfaces":[{"name":"front0","mode":"native","index":2},`,
		`"selection":{"shared":false},"services":[`,
		`{"pe":"0x00000002","identity":"pe-2","address":"10.0.12.2:8080","weight":1,"share":0.25,"state":"active","flows":5,"home":"0x1a2b3c4d","next_hop":"back1 02:00:00:00:00:07","drained":false,"weight_ordered":true}`,
		`{"vip":"udp://10.0.100.1:53","pool":"dns","policy":"","mode":"dsr","fragments":"drop","spread":"","affinity":"","slots":0,"allowed":0,"denied":0,"on_loss":"migrate","flows":0,"clients_asked":0,"elements":null}`,
		`{"name":"guard_not_tcp","action":"drop","reason":"another protocol at the registrar's port","packets":3,"bytes":1536}`,
		`"registrar":{`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}
func exampleStats() registrar.Stats {
	return registrar.Stats{
		Sessions: 2, Pools: 1, Elements: 3, Opened: 4, Registrations: 5, Reregistrations: 6, Deregistrations: 7,
		Resolutions: 8, KeepAlives: 9, KeepAliveAcks: 10, UnreachableReports: 11, Malformed: 12, Unknown: 13,
		PeerErrors: 14, GateErrors: 15,
		Closed:   map[string]uint64{"peer": 16, "slow": 0},
		Refused:  map[string]uint64{"handshake": 3, "timeout": 12, "too_many": 0},
		Rejected: map[string]uint64{"invalid values": 17},
		Departed: map[string]uint64{"lost": 0},
		Ignored:  map[string]uint64{"ASAP_ERROR": 18},
	}
}
