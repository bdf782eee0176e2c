// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-lb/weir/agent/operate"
)

// collector turns one Status into metrics at each scrape, so that the metrics
// and weir status never disagree. If the status cannot be read the scrape
// fails as a whole.
type collector struct {
	operate.Descriptions
	source    statusSource
	version   string
	build     *prometheus.Desc
	ready     *prometheus.Desc
	recovery  *prometheus.Desc
	started   *prometheus.Desc
	attached  *prometheus.Desc
	packets   *prometheus.Desc
	bytes     *prometheus.Desc
	tallies   *prometheus.Desc
	flows     *prometheus.Desc
	asked     *prometheus.Desc
	element   elementDescs
	registrar operate.RegistrarMetrics
}

type elementDescs struct{ flows, weight, state, drained *prometheus.Desc }

func newCollector(source statusSource, version string) *collector {
	c := &collector{source: source, version: version}
	desc := c.Add
	element := func(name, help string, more ...string) *prometheus.Desc {
		return desc(name, help, append([]string{"service", "pool", "element", "identity", "address"}, more...)...)
	}
	c.build = desc("build_info", "Version of this binary; always 1.", "version", "goversion")
	c.ready = desc("ready", "Whether the gateway is attached and serving.")
	c.recovery = desc("recovering", "Whether elements of the last run are kept without their registration.")
	c.started = desc("start_time_seconds", "When the gateway started, in seconds since the epoch.")
	c.attached = desc("interface_info", "Interfaces that the program is attached to; always 1.", "interface", "mode")
	c.packets = desc("packets_total", "Packets by their one verdict.", "verdict", "action")
	c.bytes = desc("bytes_total", "Bytes of frames by their one verdict.", "verdict", "action")
	c.tallies = desc("tallies_total", "How often something happened beside the verdicts.", "tally")
	c.flows = desc("flows", "Flows of a service.", "service", "pool")
	c.asked = desc("clients_asked_total", "Idle clients of lost elements that were made to hear of it.", "service", "pool")
	c.element = elementDescs{
		flows:   element("element_flows", "Flows of an element."),
		weight:  element("element_weight", "Weight of an element in the selection of new flows."),
		state:   element("element_state", "State of an element: 1 for the one it is in, else 0.", "state"),
		drained: element("element_drained", "Whether an operator has drained an element."),
	}
	c.registrar = operate.NewRegistrarMetrics(desc)
	return c
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), operate.StatusTimeout)
	defer cancel()
	s, err := c.source(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(c.ready, err)
		return
	}
	operate.Gauge(out, c.build, 1, c.version, runtime.Version())
	operate.Gauge(out, c.ready, truth(s.Ready))
	operate.Gauge(out, c.recovery, truth(s.Recovering))
	operate.Gauge(out, c.started, float64(s.StartedAt.UnixNano())/1e9)
	for _, i := range s.Interfaces {
		operate.Gauge(out, c.attached, 1, i.Name, i.Mode)
	}
	for _, v := range s.Verdicts {
		operate.Counter(out, c.packets, v.Packets, v.Name, v.Action)
		operate.Counter(out, c.bytes, v.Bytes, v.Name, v.Action)
	}
	for _, t := range s.Tallies {
		operate.Counter(out, c.tallies, t.Count, t.Name)
	}
	for _, service := range s.Services {
		operate.Gauge(out, c.flows, float64(service.Flows), service.VIP, service.Pool)
		operate.Counter(out, c.asked, service.ClientsAsked, service.VIP, service.Pool)
		for _, e := range service.Elements {
			c.element.collect(out, service, e)
		}
	}
	c.registrar.Collect(out, s.Registrar)
}

func (d elementDescs) collect(out chan<- prometheus.Metric, s ServiceStatus, e ElementStatus) {
	labels := []string{s.VIP, s.Pool, e.PE, e.Identity, e.Address}
	operate.Gauge(out, d.flows, float64(e.Flows), labels...)
	operate.Gauge(out, d.weight, float64(e.Weight), labels...)
	operate.Gauge(out, d.drained, truth(e.Drained), labels...)
	for _, state := range []string{StateActive, StateAway, StateDraining, StateLost} {
		operate.Gauge(out, d.state, truth(e.State == state), append(labels[:len(labels):len(labels)], state)...)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
