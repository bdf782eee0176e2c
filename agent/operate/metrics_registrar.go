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
	peers    *prometheus.Desc
}

type statDesc[T any] struct {
	desc *prometheus.Desc
	of   func(registrar.Stats) T
}

// NewRegistrarMetrics describes them.
func NewRegistrarMetrics(desc Describer) (d RegistrarMetrics) {
	d.addGauges(desc)
	d.addCounters(desc)
	d.addPeerCounters(desc)
	d.addFamilies(desc)
	return d
}

func (d *RegistrarMetrics) addGauges(desc Describer) {
	add := func(name, help string, of func(registrar.Stats) int) {
		d.gauges = append(d.gauges, statDesc[int]{desc("registrar_"+name, help), of})
	}
	add("sessions", "Sessions.", func(s registrar.Stats) int { return s.Sessions })
	add("pools", "Pools with an element.", func(s registrar.Stats) int { return s.Pools })
	add("elements", "Elements, up or away.", func(s registrar.Stats) int { return s.Elements })
	add("foreign_elements", "Elements whose home is another registrar.", func(s registrar.Stats) int { return s.Foreign })
	add("subscriptions", "Subscriptions of pool users to pools.", func(s registrar.Stats) int { return s.Subscriptions })
	add("downloads", "Handle tables that other registrars are fetching.", func(s registrar.Stats) int { return s.Peers.Downloads })
	d.peers = desc("registrar_peers", "Other registrars by state.", "state")
}

func (d *RegistrarMetrics) addCounters(desc Describer) {
	add := func(name, help string, of func(registrar.Stats) uint64) {
		d.counters = append(d.counters, statDesc[uint64]{desc("registrar_"+name+"_total", help), of})
	}
	add("sessions_opened", "Sessions that began.", func(s registrar.Stats) uint64 { return s.Opened })
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
	add("updates", "Updates sent to subscribed pool users.", func(s registrar.Stats) uint64 { return s.Updates })
	add("elements_restored", "Elements that were yielded to another registrar, and came back.", func(s registrar.Stats) uint64 { return s.Restored })
	add("elements_taken_over", "Elements of registrars that were taken over.", func(s registrar.Stats) uint64 { return s.TakenOver })
	add("reaches", "Attempts to reach an element at its ASAP transport.", func(s registrar.Stats) uint64 { return s.Reaches })
	add("gate_errors", "Failures to admit or revoke a session in the kernel's guard.", func(s registrar.Stats) uint64 { return s.GateErrors })
}

// addPeerCounters are those of what a registrar does with others.
func (d *RegistrarMetrics) addPeerCounters(desc Describer) {
	add := func(name, help string, of func(registrar.PeerStats) uint64) {
		d.counters = append(d.counters, statDesc[uint64]{
			desc("registrar_"+name+"_total", help), func(s registrar.Stats) uint64 { return of(s.Peers) },
		})
	}
	add("handle_updates_sent", "Elements that other registrars were told of.", func(p registrar.PeerStats) uint64 { return p.UpdatesSent })
	add("handle_updates_received", "Elements that other registrars told of.", func(p registrar.PeerStats) uint64 { return p.UpdatesReceived })
	add("audits", "Checksums of other registrars compared.", func(p registrar.PeerStats) uint64 { return p.Audits })
	add("audit_mismatches", "Checksums of other registrars that differed.", func(p registrar.PeerStats) uint64 { return p.Mismatches })
	add("synchronisations", "Handle tables received to their end.", func(p registrar.PeerStats) uint64 { return p.Synchronisations })
	add("synchronisations_failed", "Handle tables that were refused or broke off.", func(p registrar.PeerStats) uint64 { return p.SyncsFailed })
	add("enrp_errors", "ENRP_ERROR messages received.", func(p registrar.PeerStats) uint64 { return p.Errors })
	add("announcements", "Announcements sent by multicast.", func(p registrar.PeerStats) uint64 { return p.Announcements })
	add("announcement_errors", "Announcements that could not be sent.", func(p registrar.PeerStats) uint64 { return p.AnnouncementErrors })
	add("hints", "Announcements of registrars heard by multicast.", func(p registrar.PeerStats) uint64 { return p.Hints })
	add("noise", "Other datagrams heard by multicast.", func(p registrar.PeerStats) uint64 { return p.Noise })
}

func (d *RegistrarMetrics) addFamilies(desc Describer) {
	add := func(name, label, help string, of func(registrar.Stats) map[string]uint64) {
		d.families = append(d.families, statDesc[map[string]uint64]{desc("registrar_"+name+"_total", help, label), of})
	}
	add("sessions_closed", "reason", "Sessions that ended.", func(s registrar.Stats) map[string]uint64 { return s.Closed })
	add("connections_refused", "reason", "Connections that proved no identity.", func(s registrar.Stats) map[string]uint64 { return s.Refused })
	add("requests_rejected", "cause", "Requests by the error cause in the answer.", func(s registrar.Stats) map[string]uint64 { return s.Rejected })
	add("elements_departed", "reason", "Elements that left their pool.", func(s registrar.Stats) map[string]uint64 { return s.Departed })
	add("peer_dials", "outcome", "Attempts to reach another registrar.", func(s registrar.Stats) map[string]uint64 { return s.Peers.Dials })
	add("takeovers", "outcome", "Takeovers of other registrars, and by them of this one.", func(s registrar.Stats) map[string]uint64 { return s.Peers.Takeovers })
	add("enrp_refused", "cause", "ENRP messages that were not believed.", func(s registrar.Stats) map[string]uint64 { return s.Peers.Refused })
	add("enrp_ignored", "type", "ENRP messages that do not belong here or came too late.", func(s registrar.Stats) map[string]uint64 { return s.Peers.Ignored })
	add("ignored_messages", "type", "Messages that do not belong here or came too late.", func(s registrar.Stats) map[string]uint64 { return s.Ignored })
}

// Collect sends them.
func (d *RegistrarMetrics) Collect(out chan<- prometheus.Metric, s registrar.Stats) {
	for _, g := range d.gauges {
		Gauge(out, g.desc, float64(g.of(s)))
	}
	for state, n := range s.Peers.ByState {
		Gauge(out, d.peers, float64(n), state)
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
