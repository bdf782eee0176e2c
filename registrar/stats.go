// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"maps"
	"sync"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/enrp"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/wire"
)

// Stats is what a registrar holds and has done. The first group is what is there now; all else counts up from the start. The
// maps' keys are stable labels; those with a fixed set of labels always have all of them.
type Stats struct {
	Sessions      int `json:"sessions"` // of all kinds
	Pools         int `json:"pools"`
	Elements      int `json:"elements"`      // up or away
	Foreign       int `json:"foreign"`       // those whose home is another registrar
	Subscriptions int `json:"subscriptions"` // of pool users to pools

	Opened  uint64            `json:"sessions_opened"`
	Closed  map[string]uint64 `json:"sessions_closed"`  // by reason, see closeReason
	Refused map[string]uint64 `json:"sessions_refused"` // connections that proved nothing, by transport's reason

	Registrations      uint64            `json:"registrations"`   // of new elements
	Reregistrations    uint64            `json:"reregistrations"` // of elements that were there
	Deregistrations    uint64            `json:"deregistrations"`
	Resolutions        uint64            `json:"resolutions"`
	KeepAlives         uint64            `json:"keep_alives"`         // sent
	KeepAliveAcks      uint64            `json:"keep_alive_acks"`     // that answered one
	UnreachableReports uint64            `json:"unreachable_reports"` // of known elements
	Updates            uint64            `json:"updates"`             // sent to subscribers
	TakenOver          uint64            `json:"taken_over"`          // elements of registrars that we took over
	Restored           uint64            `json:"restored"`            // elements that were yielded to another registrar, and came back
	Reaches            uint64            `json:"reaches"`             // elements that we tried to reach at their ASAP transport
	Rejected           map[string]uint64 `json:"rejected"`            // requests, by the cause's RFC name
	Departed           map[string]uint64 `json:"departed"`            // elements, by reason

	Malformed  uint64            `json:"malformed"`   // messages that were discarded as invalid
	Unknown    uint64            `json:"unknown"`     // messages of unknown types, or with unknown parameters to report
	Ignored    map[string]uint64 `json:"ignored"`     // messages that do not belong here, by type
	PeerErrors uint64            `json:"peer_errors"` // ASAP_ERROR received
	GateErrors uint64            `json:"gate_errors"` // the gate failed to admit or revoke

	Peers PeerStats `json:"peers"` // other registrars
}

// PeerStats is what a registrar has to do with others. ByState and Downloads are what is there now.
type PeerStats struct {
	ByState   map[string]int `json:"by_state"`
	Downloads int            `json:"downloads"` // handle tables that are being handed out

	Dials              map[string]uint64 `json:"dials"` // by outcome, "connected" or "failed"
	UpdatesSent        uint64            `json:"updates_sent"`
	UpdatesReceived    uint64            `json:"updates_received"`
	Audits             uint64            `json:"audits"`           // checksums compared
	Mismatches         uint64            `json:"mismatches"`       // that differed
	Synchronisations   uint64            `json:"synchronisations"` // handle tables received to their end
	SyncsFailed        uint64            `json:"synchronisations_failed"`
	Takeovers          map[string]uint64 `json:"takeovers"`           // by outcome, "initiated", "completed", "stopped" or "of_us"
	Refused            map[string]uint64 `json:"refused"`             // messages that were not believed, by the cause's RFC name
	Ignored            map[string]uint64 `json:"ignored"`             // messages that do not belong here or came too late, by type
	Errors             uint64            `json:"errors"`              // ENRP_ERROR received
	Announcements      uint64            `json:"announcements"`       // sent by multicast
	AnnouncementErrors uint64            `json:"announcement_errors"` // that could not be sent
	Hints              uint64            `json:"hints"`               // announcements and presences heard by multicast
	Noise              uint64            `json:"noise"`               // other datagrams heard
}

// tally collects the counts. All its methods are safe for concurrent use.
type tally struct {
	mu   sync.Mutex
	now  Stats // but for what the Cores have
	asap asap.Counters
	enrp enrp.Counters
}

func newTally() *tally {
	t := &tally{now: Stats{Closed: map[string]uint64{}, Refused: map[string]uint64{}}}
	t.now.Peers.Dials = map[string]uint64{"connected": 0, "failed": 0}
	for r := range closeReasons {
		t.now.Closed[closeReason(r).String()] = 0
	}
	for _, r := range []string{
		transport.ReasonAccept, transport.ReasonHandshake, transport.ReasonOwnIdentity, transport.ReasonPlain,
		transport.ReasonTimeout, transport.ReasonTooMany,
	} {
		t.now.Refused[r] = 0
	}
	return t
}

func (t *tally) count(f func(*Stats)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.now)
}

func (t *tally) open()                 { t.count(func(s *Stats) { s.Opened++ }) }
func (t *tally) close(why closeReason) { t.count(func(s *Stats) { s.Closed[why.String()]++ }) }
func (t *tally) refuse(reason string)  { t.count(func(s *Stats) { s.Refused[reason]++ }) }
func (t *tally) gateFailed()           { t.count(func(s *Stats) { s.GateErrors++ }) }

func (t *tally) dial(connected bool) {
	t.count(func(s *Stats) {
		if connected {
			s.Peers.Dials["connected"]++
		} else {
			s.Peers.Dials["failed"]++
		}
	})
}

func (t *tally) announce(err error) {
	t.count(func(s *Stats) {
		if err == nil {
			s.Peers.Announcements++
		} else {
			s.Peers.AnnouncementErrors++
		}
	})
}

func (t *tally) hint(ok bool) {
	t.count(func(s *Stats) {
		if ok {
			s.Peers.Hints++
		} else {
			s.Peers.Noise++
		}
	})
}

func (t *tally) fault(malformed bool) {
	t.count(func(s *Stats) {
		if malformed {
			s.Malformed++
		} else {
			s.Unknown++
		}
	})
}

// publish makes the loop's state known.
func (t *tally) publish(sessions int, a asap.Counters, e enrp.Counters) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now.Sessions, t.asap, t.enrp = sessions, a, e
}

func (t *tally) stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, c := t.now, &t.asap
	s.Closed, s.Refused = maps.Clone(s.Closed), maps.Clone(s.Refused)
	s.Pools, s.Elements, s.Foreign, s.Subscriptions = c.Pools, c.Elements, c.Foreign, c.Subscriptions
	s.Updates, s.TakenOver, s.Restored, s.Reaches = c.Updates, c.TakenOver, c.Restored, c.Reaches
	s.Registrations, s.Reregistrations, s.Deregistrations = c.Registrations, c.Reregistrations, c.Deregistrations
	s.Resolutions, s.UnreachableReports, s.PeerErrors = c.Resolutions, c.UnreachableReports, c.PeerErrors
	s.KeepAlives, s.KeepAliveAcks = c.KeepAlives, c.KeepAliveAcks
	s.Rejected, s.Departed, s.Ignored = map[string]uint64{}, map[string]uint64{}, map[string]uint64{}
	for cause, n := range c.Rejected {
		s.Rejected[wire.CauseCode(cause).String()] = n
	}
	for reason, n := range c.Departed {
		s.Departed[handlespace.DepartReason(reason).String()] = n
	}
	for typ, n := range c.Ignored {
		if n > 0 {
			s.Ignored[wire.MessageType(typ).String()] = n
		}
	}
	s.Peers = peerStats(s.Peers, &t.enrp)
	return s
}

// peerStats is p with what the Core has counted.
func peerStats(p PeerStats, c *enrp.Counters) PeerStats {
	p.Dials = maps.Clone(p.Dials)
	p.Downloads, p.UpdatesSent, p.UpdatesReceived = c.Downloads, c.UpdatesSent, c.UpdatesReceived
	p.Audits, p.Mismatches, p.Errors = c.Audits, c.Mismatches, c.PeerErrors
	p.Synchronisations, p.SyncsFailed = c.Resyncs, c.ResyncsFailed
	p.Takeovers = map[string]uint64{
		"initiated": c.TakeoversInitiated, "completed": c.TakeoversCompleted, "stopped": c.TakeoversStopped,
		"of_us": c.TakenFromUs,
	}
	p.ByState, p.Refused, p.Ignored = map[string]int{}, map[string]uint64{}, map[string]uint64{}
	for state, n := range c.Peers {
		if enrp.PeerState(state) != enrp.Gone {
			p.ByState[enrp.PeerState(state).String()] = n
		}
	}
	for cause, n := range c.Refused {
		if n > 0 {
			p.Refused[wire.CauseCode(cause).String()] = n
		}
	}
	for typ, n := range c.Ignored {
		if n > 0 {
			p.Ignored[wire.ENRPType(typ).String()] = n
		}
	}
	return p
}
