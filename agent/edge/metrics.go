// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
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

// metricsServer serves the status as Prometheus metrics at /metrics. Nil is one
// that is off.
type metricsServer struct{ local localServer }

// listenMetrics opens the metrics port; the zero addr gives nil.
func listenMetrics(addr netip.AddrPort, source StatusSource) (*metricsServer, error) {
	if !addr.IsValid() {
		return nil, nil
	}
	handler, err := metricsHandler(source)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp4", addr.String())
	if err != nil {
		return nil, fmt.Errorf("open the metrics port: %w", err)
	}
	return &metricsServer{newLocalServer(l, handler)}, nil
}

func (s *metricsServer) run(ctx context.Context) error {
	if s == nil {
		return nil
	}
	return s.local.run(ctx)
}

func (s *metricsServer) Close() error {
	if s == nil {
		return nil
	}
	return s.local.Close()
}

func metricsHandler(source StatusSource) (http.Handler, error) {
	registry := prometheus.NewRegistry()
	err := errors.Join(
		registry.Register(newCollector(source, version())),
		registry.Register(collectors.NewGoCollector()),
		registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
	)
	if err != nil {
		return nil, fmt.Errorf("register the metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		Registry: registry, MaxRequestsInFlight: scrapesAtOnce, Timeout: statusTimeout,
	}))
	return mux, nil
}

// version is that of the module in this binary.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}
