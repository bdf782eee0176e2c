// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-lb/weir/registrar"
)

// statsCollector has a registrar's metrics alone.
type statsCollector struct {
	Descriptions
	metrics RegistrarMetrics
	stats   registrar.Stats
}

func newStatsCollector(s registrar.Stats) *statsCollector {
	c := &statsCollector{stats: s}
	c.metrics = NewRegistrarMetrics(c.Add)
	return c
}

func (c *statsCollector) Collect(out chan<- prometheus.Metric) { c.metrics.Collect(out, c.stats) }

// broken cannot be collected.
type broken struct{}

func (broken) Describe(chan<- *prometheus.Desc) {}

func (broken) Collect(out chan<- prometheus.Metric) {
	out <- prometheus.NewInvalidMetric(prometheus.NewDesc("broken", "It fails.", nil, nil), errors.New("the maps are gone"))
}

func TestMetricsOfTheRegistrar(t *testing.T) {
	c := newStatsCollector(exampleStats())
	want := map[string]float64{
		"sessions": 2, "pools": 1, "elements": 3, "sessions_opened_total": 4, "registrations_total": 5,
		"reregistrations_total": 6, "deregistrations_total": 7, "resolutions_total": 8, "keep_alives_total": 9,
		"keep_alive_acks_total": 10, "unreachable_reports_total": 11, "malformed_messages_total": 12,
		"unknown_messages_total": 13, "peer_errors_total": 14, "gate_errors_total": 15,
		"foreign_elements": 19, "subscriptions": 20, "updates_total": 21, "elements_taken_over_total": 22, "elements_restored_total": 24, "reaches_total": 23,
		`peers{state="active"}`: 24, "downloads": 25, `peer_dials_total{outcome="failed"}`: 26,
		"handle_updates_sent_total": 27, "handle_updates_received_total": 28, "audits_total": 29,
		"audit_mismatches_total": 30, "synchronisations_total": 31, "synchronisations_failed_total": 32,
		`takeovers_total{outcome="completed"}`: 33, `enrp_refused_total{cause="invalid values"}`: 34,
		`enrp_ignored_total{type="ENRP_PRESENCE"}`: 35, "enrp_errors_total": 36, "announcements_total": 37,
		"announcement_errors_total": 38, "hints_total": 39, "noise_total": 40,
		`sessions_closed_total{reason="peer"}`: 16, `sessions_closed_total{reason="slow"}`: 0,
		`connections_refused_total{reason="handshake"}`: 3, `connections_refused_total{reason="timeout"}`: 12,
		`connections_refused_total{reason="too_many"}`:    0,
		`requests_rejected_total{cause="invalid values"}`: 17,
		`elements_departed_total{reason="lost"}`:          0,
		`ignored_messages_total{type="ASAP_ERROR"}`:       18,
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		name, ours := strings.CutPrefix(family.GetName(), "weir_registrar_")
		if !ours {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := ""
			for _, l := range m.GetLabel() {
				labels = fmt.Sprintf("{%s=%q}", l.GetName(), l.GetValue())
			}
			got[name+labels] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("\n got %v\nwant %v", got, want)
	}
}

// serveMetrics runs a metrics server until the test ends, and returns its URL.
func serveMetrics(t *testing.T, c prometheus.Collector) string {
	t.Helper()
	server, err := ListenMetrics(netip.MustParseAddrPort("127.0.0.1:0"), c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, server.Close()); err != nil {
			t.Error(err)
		}
	})
	return "http://" + server.listener.Addr().String() + "/metrics"
}

func scrape(t *testing.T, url string) (status int, body string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestMetricsServer(t *testing.T) {
	status, body := scrape(t, serveMetrics(t, newStatsCollector(exampleStats())))
	if status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	for _, want := range []string{"\nweir_registrar_sessions 2\n", "\ngo_goroutines ", "\nprocess_open_fds "} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
}

func TestMetricsServerFailsAsAWhole(t *testing.T) {
	status, body := scrape(t, serveMetrics(t, broken{}))
	if status != http.StatusInternalServerError || !strings.Contains(body, "the maps are gone") {
		t.Errorf("%d: %s", status, body)
	}
}

func TestMetricsServerOff(t *testing.T) {
	server, err := ListenMetrics(netip.AddrPort{}, newStatsCollector(exampleStats()))
	if server != nil || err != nil {
		t.Fatalf("%v, %v", server, err)
	}
	if err := errors.Join(server.Run(t.Context()), server.Close()); err != nil {
		t.Error(err)
	}
}

func TestMetricsPortInUse(t *testing.T) {
	url := serveMetrics(t, newStatsCollector(exampleStats()))
	addr := strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/metrics")
	_, err := ListenMetrics(netip.MustParseAddrPort(addr), newStatsCollector(exampleStats()))
	if err == nil || err.Error() != "open the metrics port: listen tcp "+addr+": bind: address already in use" {
		t.Errorf("%v", err)
	}
}

func exampleStats() registrar.Stats {
	return registrar.Stats{
		Sessions: 2, Pools: 1, Elements: 3, Opened: 4, Registrations: 5, Reregistrations: 6, Deregistrations: 7,
		Resolutions: 8, KeepAlives: 9, KeepAliveAcks: 10, UnreachableReports: 11, Malformed: 12, Unknown: 13,
		PeerErrors: 14, GateErrors: 15, Foreign: 19, Subscriptions: 20, Updates: 21, TakenOver: 22, Restored: 24, Reaches: 23,
		Peers: registrar.PeerStats{
			ByState: map[string]int{"active": 24}, Downloads: 25, Dials: map[string]uint64{"failed": 26}, UpdatesSent: 27,
			UpdatesReceived: 28, Audits: 29, Mismatches: 30, Synchronisations: 31, SyncsFailed: 32,
			Takeovers: map[string]uint64{"completed": 33}, Refused: map[string]uint64{"invalid values": 34},
			Ignored: map[string]uint64{"ENRP_PRESENCE": 35}, Errors: 36, Announcements: 37, AnnouncementErrors: 38,
			Hints: 39, Noise: 40,
		},
		Closed:   map[string]uint64{"peer": 16, "slow": 0},
		Refused:  map[string]uint64{"handshake": 3, "timeout": 12, "too_many": 0},
		Rejected: map[string]uint64{"invalid values": 17},
		Departed: map[string]uint64{"lost": 0},
		Ignored:  map[string]uint64{"ASAP_ERROR": 18},
	}
}
