// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-lb/weir/registrar"
)

// RegistrarMetrics are the metrics of registrar.Stats, each with where it is there.
type RegistrarMetrics struct {
	gauges   []statDesc[int]
	counters []statDesc[uint64]
	families []statDesc[map[string]uint64] // counters by one label
}

type statDesc[T any] struct {
	desc *prometheus.Desc
	of   func(registrar.Stats) T
}

// NewRegistrarMetrics describes them.
func NewRegistrarMetrics(desc Describer) (d RegistrarMetrics) {
	d.addGauges(desc)
	d.addCounters(desc)
	d.addFamilies(desc)
	return d
}

func (d *RegistrarMetrics) addGauges(desc Describer) {
	add := func(name, help string, of func(registrar.Stats) int) {
		d.gauges = append(d.gauges, statDesc[int]{desc("registrar_"+name, help), of})
	}
	add("sessions", "Authenticated sessions.", func(s registrar.Stats) int { return s.Sessions })
	add("pools", "Pools with an element.", func(s registrar.Stats) int { return s.Pools })
	add("elements", "Elements, up or away.", func(s registrar.Stats) int { return s.Elements })
}

func (d *RegistrarMetrics) addCounters(desc Describer) {
	add := func(name, help string, of func(registrar.Stats) uint64) {
		d.counters = append(d.counters, statDesc[uint64]{desc("registrar_"+name+"_total", help), of})
	}
	add("sessions_opened", "Sessions that proved an identity.", func(s registrar.Stats) uint64 { return s.Opened })
	add("registrations", "Registrations of new elements.", func(s registrar.Stats) uint64 { return s.Registrations })
	add("reregistrations", "Registrations of elements that were there.", func(s registrar.Stats) uint64 { return s.Reregistrations })
	add("deregistrations", "Deregistrations that were granted.", func(s registrar.Stats) uint64 { return s.Deregistrations })
	add("resolutions", "Handle resolutions answered with elements.", func(s registrar.Stats) uint64 { return s.Resolutions })
	add("keep_alives", "Keep-alives sent.", func(s registrar.Stats) uint64 { return s.KeepAlives })
	add("keep_alive_acks", "Keep-alives answered.", func(s registrar.Stats) uint64 { return s.KeepAliveAcks })
	add("unreachable_reports", "Reports that a known element is unreachable.", func(s registrar.Stats) uint64 { return s.UnreachableReports })
	add("malformed_messages", "Messages discarded as invalid.", func(s registrar.Stats) uint64 { return s.Malformed })
	add("unknown_messages", "Messages of unknown types or with unknown parameters to report.", func(s registrar.Stats) uint64 { return s.Unknown })
	add("peer_errors", "ASAP_ERROR messages received.", func(s registrar.Stats) uint64 { return s.PeerErrors })
	add("gate_errors", "Failures to admit or revoke a session in the kernel's guard.", func(s registrar.Stats) uint64 { return s.GateErrors })
}

func (d *RegistrarMetrics) addFamilies(desc Describer) {
	add := func(name, label, help string, of func(registrar.Stats) map[string]uint64) {
		d.families = append(d.families, statDesc[map[string]uint64]{desc("registrar_"+name+"_total", help, label), of})
	}
	add("sessions_closed", "reason", "Sessions that ended.", func(s registrar.Stats) map[string]uint64 { return s.Closed })
	add("connections_refused", "reason", "Connections that proved no identity.", func(s registrar.Stats) map[string]uint64 { return s.Refused })
	add("requests_rejected", "cause", "Requests by the error cause in the answer.", func(s registrar.Stats) map[string]uint64 { return s.Rejected })
	add("elements_departed", "reason", "Elements that left their pool.", func(s registrar.Stats) map[string]uint64 { return s.Departed })
	add("ignored_messages", "type", "Messages that do not belong here or came too late.", func(s registrar.Stats) map[string]uint64 { return s.Ignored })
}

// Collect sends them.
func (d *RegistrarMetrics) Collect(out chan<- prometheus.Metric, s registrar.Stats) {
	for _, g := range d.gauges {
		Gauge(out, g.desc, float64(g.of(s)))
	}
	for _, c := range d.counters {
		Counter(out, c.desc, c.of(s))
	}
	for _, f := range d.families {
		for label, n := range f.of(s) {
			Counter(out, f.desc, n, label)
		}
	}
}
