// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestMetricsExposition(t *testing.T) {
	c := newCollector(fixed(exampleStatus()), "v1.2.3")
	want := `
# HELP weir_bytes_total Bytes of frames by their one verdict.
# TYPE weir_bytes_total counter
weir_bytes_total{action="drop",verdict="guard_global_spent"} 2.7006642e+07
weir_bytes_total{action="drop",verdict="guard_not_tcp"} 1536
weir_bytes_total{action="drop",verdict="guard_source_spent"} 0
weir_bytes_total{action="drop",verdict="steer_stray"} 0
weir_bytes_total{action="pass",verdict="not_ours"} 700
weir_bytes_total{action="redirect",verdict="steer_forward"} 9.87654321e+10
# HELP weir_clients_asked_total Idle clients of lost elements that were made to hear of it.
# TYPE weir_clients_asked_total counter
weir_clients_asked_total{pool="dns",service="udp://10.0.100.1:53"} 0
weir_clients_asked_total{pool="web",service="tcp://10.0.100.1:80"} 21
# HELP weir_element_drained Whether an operator has drained an element.
# TYPE weir_element_drained gauge
weir_element_drained{address="10.0.11.2:8080",element="0x00000001",identity="pe-1",pool="web",service="tcp://10.0.100.1:80"} 0
weir_element_drained{address="10.0.12.2:8080",element="0x00000002",identity="pe-2",pool="web",service="tcp://10.0.100.1:80"} 0
weir_element_drained{address="10.0.13.2:8080",element="0x00000003",identity="",pool="web",service="tcp://10.0.100.1:80"} 1
# HELP weir_element_flows Flows of an element.
# TYPE weir_element_flows gauge
weir_element_flows{address="10.0.11.2:8080",element="0x00000001",identity="pe-1",pool="web",service="tcp://10.0.100.1:80"} 1234
weir_element_flows{address="10.0.12.2:8080",element="0x00000002",identity="pe-2",pool="web",service="tcp://10.0.100.1:80"} 5
weir_element_flows{address="10.0.13.2:8080",element="0x00000003",identity="",pool="web",service="tcp://10.0.100.1:80"} 0
# HELP weir_element_weight Weight of an element in the selection of new flows.
# TYPE weir_element_weight gauge
weir_element_weight{address="10.0.11.2:8080",element="0x00000001",identity="pe-1",pool="web",service="tcp://10.0.100.1:80"} 3
weir_element_weight{address="10.0.12.2:8080",element="0x00000002",identity="pe-2",pool="web",service="tcp://10.0.100.1:80"} 1
weir_element_weight{address="10.0.13.2:8080",element="0x00000003",identity="",pool="web",service="tcp://10.0.100.1:80"} 2
# HELP weir_flows Flows of a service.
# TYPE weir_flows gauge
weir_flows{pool="dns",service="udp://10.0.100.1:53"} 0
weir_flows{pool="web",service="tcp://10.0.100.1:80"} 1239
# HELP weir_interface_info Interfaces that the program is attached to; always 1.
# TYPE weir_interface_info gauge
weir_interface_info{interface="back0",mode="generic"} 1
weir_interface_info{interface="front0",mode="native"} 1
# HELP weir_packets_total Packets by their one verdict.
# TYPE weir_packets_total counter
weir_packets_total{action="drop",verdict="guard_global_spent"} 500123
weir_packets_total{action="drop",verdict="guard_not_tcp"} 3
weir_packets_total{action="drop",verdict="guard_source_spent"} 0
weir_packets_total{action="drop",verdict="steer_stray"} 0
weir_packets_total{action="pass",verdict="not_ours"} 7
weir_packets_total{action="redirect",verdict="steer_forward"} 1.23456789e+08
# HELP weir_ready Whether the gateway is attached and serving.
# TYPE weir_ready gauge
weir_ready 1
# HELP weir_recovering Whether elements of the last run are kept without their registration.
# TYPE weir_recovering gauge
weir_recovering 0
# HELP weir_start_time_seconds When the gateway started, in seconds since the epoch.
# TYPE weir_start_time_seconds gauge
weir_start_time_seconds 1.772334e+09
# HELP weir_tallies_total How often something happened beside the verdicts.
# TYPE weir_tallies_total counter
weir_tallies_total{tally="flow_evicted"} 17
`
	err := testutil.CollectAndCompare(c, strings.NewReader(want),
		"weir_bytes_total", "weir_clients_asked_total", "weir_element_drained", "weir_element_flows", "weir_element_weight", "weir_flows", "weir_interface_info",
		"weir_packets_total", "weir_ready", "weir_recovering", "weir_start_time_seconds", "weir_tallies_total")
	if err != nil {
		t.Error(err)
	}
}

func TestMetricsElementState(t *testing.T) {
	s := Status{Services: []ServiceStatus{{VIP: "tcp://10.0.100.1:80", Pool: "web", Elements: []ElementStatus{
		{PE: "0x00000001", Identity: "pe-1", Address: "10.0.11.2:80", State: StateDraining},
	}}}}
	const labels = `address="10.0.11.2:80",element="0x00000001",identity="pe-1",pool="web",service="tcp://10.0.100.1:80",state=`
	want := `
# HELP weir_element_state State of an element: 1 for the one it is in, else 0.
# TYPE weir_element_state gauge
weir_element_state{` + labels + `"active"} 0
weir_element_state{` + labels + `"away"} 0
weir_element_state{` + labels + `"draining"} 1
weir_element_state{` + labels + `"lost"} 0
`
	c := newCollector(fixed(s), "v1.2.3")
	if err := testutil.CollectAndCompare(c, strings.NewReader(want), "weir_element_state"); err != nil {
		t.Error(err)
	}
}

func TestMetricsLint(t *testing.T) {
	problems, err := testutil.CollectAndLint(newCollector(fixed(exampleStatus()), "v1.2.3"))
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}
