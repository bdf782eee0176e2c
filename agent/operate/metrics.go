// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// scrapesAtOnce bounds concurrent scrapes; more are answered with 503.
const scrapesAtOnce = 4

// ListenMetrics opens the port where the collectors' metrics are, and this process's own; the zero addr gives nil.
func ListenMetrics(addr netip.AddrPort, c prometheus.Collector) (*Server, error) {
	if !addr.IsValid() {
		return nil, nil
	}
	handler, err := metricsHandler(c)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", addr.String())
	if err != nil {
		return nil, fmt.Errorf("open the metrics port: %w", err)
	}
	return newServer(l, handler), nil
}

func metricsHandler(c prometheus.Collector) (http.Handler, error) {
	registry := prometheus.NewRegistry()
	err := errors.Join(
		registry.Register(c),
		registry.Register(collectors.NewGoCollector()),
		registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
	)
	if err != nil {
		return nil, fmt.Errorf("register the metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		Registry: registry, MaxRequestsInFlight: scrapesAtOnce, Timeout: StatusTimeout,
	}))
	return mux, nil
}

// Version is that of the module in this binary.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}

// Descriptions are those of a collector's metrics: its half of a prometheus.Collector that says what there will be.
type Descriptions []*prometheus.Desc

// Describer is Descriptions.Add.
type Describer = func(name, help string, labels ...string) *prometheus.Desc

// Add makes the description of a metric, and keeps it for Describe.
func (d *Descriptions) Add(name, help string, labels ...string) *prometheus.Desc {
	desc := prometheus.NewDesc("weir_"+name, help, labels, nil)
	*d = append(*d, desc)
	return desc
}

// Describe implements prometheus.Collector.
func (d *Descriptions) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range *d {
		out <- desc
	}
}

// Gauge sends a value that goes up and down.
func Gauge(out chan<- prometheus.Metric, desc *prometheus.Desc, v float64, labels ...string) {
	send(out, desc, prometheus.GaugeValue, v, labels)
}

// Counter sends a count.
func Counter(out chan<- prometheus.Metric, desc *prometheus.Desc, v uint64, labels ...string) {
	send(out, desc, prometheus.CounterValue, float64(v), labels)
}

// send reports a label that is not UTF-8 (a pool handle is arbitrary bytes) as a
// failed scrape instead of a panic.
func send(out chan<- prometheus.Metric, desc *prometheus.Desc, kind prometheus.ValueType, v float64, labels []string) {
	m, err := prometheus.NewConstMetric(desc, kind, v, labels...)
	if err != nil {
		m = prometheus.NewInvalidMetric(desc, err)
	}
	out <- m
}
