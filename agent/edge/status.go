// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"time"

	"github.com/weir-lb/weir/agent/operate"
	"github.com/weir-lb/weir/registrar"
)

// statusSource is what the control socket and the metrics show. It is called
// from several goroutines at once.
type statusSource func(ctx context.Context) (Status, error)

// Status is the document at GET /v1/status of the control socket. Counters
// count since the kernel's maps were made, not since the process started.
type Status struct {
	Role         operate.Role         `json:"role"`         // operate.Edge
	Ready        bool                 `json:"ready"`        // attached and serving
	Recovering   bool                 `json:"recovering"`   // elements of the last run are kept without their registration
	Synchronised bool                 `json:"synchronised"` // the handlespace has what other registrars know
	StartedAt    time.Time            `json:"started_at"`
	ServerID     string               `json:"server_id"` // 0x1a2b3c4d
	Listen       string               `json:"listen"`    // the registrar's address and port
	Interfaces   []InterfaceStatus    `json:"interfaces"`
	Selection    SelectionStatus      `json:"selection"`
	Services     []ServiceStatus      `json:"services"` // in the configuration's order
	Verdicts     []VerdictStatus      `json:"verdicts"`
	Tallies      []TallyStatus        `json:"tallies"`
	Peers        []operate.PeerStatus `json:"peers"` // other registrars
	Registrar    registrar.Stats      `json:"registrar"`
}

// InterfaceStatus is one interface that the program is attached to.
type InterfaceStatus struct {
	Name  string `json:"name"`
	Mode  string `json:"mode"` // native or generic
	Index int    `json:"index"`
}

// SelectionStatus is about the key that consistent spreading chooses by, never the key.
type SelectionStatus struct {
	Shared  bool       `json:"shared"`             // it comes from a file, which other gateways may have
	NextKey *time.Time `json:"next_key,omitempty"` // when another one is due; nil: never
}

// ServiceStatus is one service; Flows sums those of its elements.
type ServiceStatus struct {
	VIP          string          `json:"vip"` // tcp://10.0.100.1:80
	Pool         string          `json:"pool"`
	Policy       string          `json:"policy"`    // of the pool; empty as long as nobody registered
	Mode         string          `json:"mode"`      // how packets reach the elements: nat, dsr, ipip or gue
	Fragments    string          `json:"fragments"` // what becomes of them: forward or drop
	Spread       string          `json:"spread"`    // consistent; by policy: turns or random
	Affinity     string          `json:"affinity"`  // flow or client
	Slots        int             `json:"slots"`     // of its selection table
	Allowed      int             `json:"allowed"`   // prefixes of clients; none: all clients
	Denied       int             `json:"denied"`    // prefixes of clients
	OnLoss       string          `json:"on_loss"`   // what becomes of flows whose element is lost: reset, migrate or drain
	Flows        uint64          `json:"flows"`
	ClientsAsked uint64          `json:"clients_asked"` // idle clients of lost elements that were made to hear of it, since the start
	Elements     []ElementStatus `json:"elements"`
}

// ElementStatus is one element of a service.
type ElementStatus struct {
	PE       string     `json:"pe"`       // 0x00000001
	Identity string     `json:"identity"` // empty: it did not register here, since the last start
	Address  string     `json:"address"`  // 10.0.11.2:8080
	Weight   uint32     `json:"weight"`
	Share    float64    `json:"share"` // of the service's new flows, 0-1
	State    string     `json:"state"` // one of the States
	Flows    uint64     `json:"flows"`
	Home     string     `json:"home"`            // the registrar where it registered, 0x1a2b3c4d; empty: kept from the last run
	NextHop  string     `json:"next_hop"`        // back1 02:00:00:00:00:05; empty: unresolved, the kernel is asked for each packet
	Drained  bool       `json:"drained"`         // by an operator: no new flows, whatever its state
	Weighed  bool       `json:"weight_ordered"`  // the weight is an operator's, not the policy's
	Until    *time.Time `json:"until,omitempty"` // of one that is draining because it is lost: when its flows end
}

// The states of an element, as ElementStatus has them.
const (
	StateActive   = "active"   // gets new flows
	StateAway     = "away"     // association lost; keeps its flows for the grace
	StateDraining = "draining" // left; keeps its flows until they end
	StateLost     = "lost"     // its flows are reset
)

// VerdictStatus is how often one verdict was given.
type VerdictStatus struct {
	Name    string `json:"name"`
	Action  string `json:"action"` // pass, drop, tx or redirect
	Reason  string `json:"reason"`
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"` // of the frames as received
}

// TallyStatus is how often something happened beside the verdicts.
type TallyStatus struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
	Count  uint64 `json:"count"`
}
