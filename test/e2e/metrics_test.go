// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/weir-lb/weir/agent/edge"
)

// The metrics, the status document and the table for people say the same, and it is what happened.
func TestMetricsAndStatusAgree(t *testing.T) {
	d := deploy(t, "metrics", "grants:", "grace: 10m\n  grants:")
	held := d.hold(web)
	d.killPE(1)
	d.awaitStates("active", "away")
	d.awaitFlows(enough)

	var faults []string
	agree := d.within(patience, func() bool { // a packet between two looks is no disagreement
		faults = d.disagreements()
		return len(faults) == 0
	})
	if !agree {
		t.Errorf("they disagree:\n%s", strings.Join(faults, "\n"))
	}
	s := d.status()
	for i := range servers {
		if e := element(s, i); e.Flows != uint64(len(held[i])) {
			t.Errorf("%s has %d flows, want %d", e.Identity, e.Flows, len(held[i]))
		}
	}
	if redirected := verdict(s, "steer_forward"); redirected < 3*enough { // SYN, ACK and request of each
		t.Errorf("%d packets went to elements, want at least %d", redirected, 3*enough)
	}
}

func verdict(s edge.Status, name string) uint64 {
	for _, v := range s.Verdicts {
		if v.Name == name {
			return v.Packets
		}
	}
	return 0
}

// disagreements compares the three with each other.
func (d *deployment) disagreements() (faults []string) {
	d.t.Helper()
	status := exec.Command(binary, "status", "--control", d.control())
	table := strings.Split(d.run(status).stdout, "\n")
	status.Args = append(status.Args, "--json")
	var s edge.Status
	d.must(json.Unmarshal([]byte(d.run(status).stdout), &s))
	metrics := d.scrape()
	want := func(value uint64, format string, args ...any) {
		name := fmt.Sprintf(format, args...)
		if got, ok := metrics[name]; !ok || got != float64(value) {
			faults = append(faults, fmt.Sprintf("%s: %v, the status has %d", name, got, value))
		}
	}
	row := func(cells ...string) {
		if !slices.ContainsFunc(table, func(line string) bool { return startsWith(strings.Fields(line), cells) }) {
			faults = append(faults, fmt.Sprintf("the table has no row %q", cells))
		}
	}
	for _, v := range s.Verdicts {
		want(v.Packets, "weir_packets_total{action=%q,verdict=%q}", v.Action, v.Name)
		want(v.Bytes, "weir_bytes_total{action=%q,verdict=%q}", v.Action, v.Name)
		if v.Packets > 0 {
			row(v.Name, strconv.FormatUint(v.Packets, 10))
		}
	}
	want(s.Services[0].Flows, `weir_flows{pool="web",service="tcp://10.0.100.1:80"}`)
	for i := range servers {
		e, shown := element(s, i), map[bool]string{true: "active", false: "AWAY"}[i == 0]
		share := map[bool]string{true: "100.0%", false: "0.0%"}[i == 0]
		labels := fmt.Sprintf(`address=%q,element=%q,identity=%q,pool="web",service="tcp://10.0.100.1:80"`,
			server(i), peID(i), identity(i))
		want(e.Flows, "weir_element_flows{%s}", labels)
		for _, state := range []string{"active", "away", "draining", "lost"} {
			want(map[bool]uint64{true: 1}[state == strings.ToLower(shown)], "weir_element_state{%s,state=%q}", labels, state)
		}
		row(peID(i), identity(i), server(i).String(), "1", share, shown, strconv.FormatUint(e.Flows, 10))
	}
	return faults
}

func startsWith(cells, want []string) bool {
	return len(cells) >= len(want) && slices.Equal(cells[:len(want)], want)
}

// scrape reads the metrics from within the gateway, by name with labels.
func (n *network) scrape() map[string]float64 {
	n.t.Helper()
	response, err := n.browser(n.gateway).Get("http://127.0.0.1:9464/metrics")
	n.must(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	n.must(err)
	metrics := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if cut := strings.LastIndex(line, "} "); cut > 0 {
			name, value = line[:cut+1], strings.TrimSpace(line[cut+2:])
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			metrics[name] = v
		}
	}
	return metrics
}
