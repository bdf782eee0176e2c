// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-lb/weir/agent/operate"
)

// collector turns one Status into metrics at each scrape.
type collector struct {
	operate.Descriptions
	source  func(context.Context) (Status, error)
	build   *prometheus.Desc
	started *prometheus.Desc
	metrics operate.RegistrarMetrics
}

func newCollector(source func(context.Context) (Status, error)) *collector {
	c := &collector{source: source}
	desc := c.Add
	c.build = desc("build_info", "Version of this binary; always 1.", "version", "goversion")
	c.started = desc("start_time_seconds", "When the registrar started, in seconds since the epoch.")
	c.metrics = operate.NewRegistrarMetrics(desc)
	return c
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), operate.StatusTimeout)
	defer cancel()
	s, err := c.source(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(c.started, err)
		return
	}
	operate.Gauge(out, c.build, 1, operate.Version(), runtime.Version())
	operate.Gauge(out, c.started, float64(s.StartedAt.UnixNano())/1e9)
	c.metrics.Collect(out, s.Registrar.Stats)
}
