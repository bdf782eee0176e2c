// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"io"
	"net/netip"
	"time"

	"github.com/weir-lb/weir/agent/operate"
	"github.com/weir-lb/weir/agent/pu"
	"github.com/weir-lb/weir/registrar/wire"
)

// jsonPrinter prints one object a line.
type jsonPrinter struct{ out io.Writer }

type elementJSON struct {
	ID          string       `json:"id"`
	Home        string       `json:"home"`
	Life        int32        `json:"registration_life"`
	Protocol    string       `json:"protocol"`
	Addresses   []netip.Addr `json:"addresses"`
	Port        uint16       `json:"port"`
	Policy      string       `json:"policy"`
	Weight      *uint32      `json:"weight,omitempty"`
	Priority    *uint32      `json:"priority,omitempty"`
	Load        *uint32      `json:"load,omitempty"`
	Degradation *uint32      `json:"load_degradation,omitempty"`
}

type poolJSON struct {
	Event    string        `json:"event"`
	Pool     string        `json:"pool"`
	Policy   string        `json:"policy"`
	Updates  bool          `json:"updates"` // the registrar sends changes by itself
	At       time.Time     `json:"at"`
	Elements []elementJSON `json:"elements"`
}

type failoverJSON struct {
	Event string      `json:"event"`
	Pool  string      `json:"pool"`
	Old   elementJSON `json:"old"`
	New   elementJSON `json:"new"`
}

type faultJSON struct {
	Event string `json:"event"`
	Error string `json:"error"`
}

func (j jsonPrinter) pool(p pu.Pool) error {
	line := poolJSON{"pool", operate.Printable(string(p.Handle)), p.Policy.Type.String(), p.Live, p.At, []elementJSON{}}
	for _, e := range p.Elements {
		line.Elements = append(line.Elements, asJSON(e))
	}
	return j.line(line)
}

func (j jsonPrinter) change(_, now pu.Pool) error { return j.pool(now) }

func (j jsonPrinter) failover(pool wire.PoolHandle, old, now wire.PoolElement) error {
	return j.line(failoverJSON{"failover", operate.Printable(string(pool)), asJSON(old), asJSON(now)})
}

func (j jsonPrinter) fault(err error) error { return j.line(faultJSON{"error", err.Error()}) }

func (j jsonPrinter) line(v any) error { return json.NewEncoder(j.out).Encode(v) }

func asJSON(e wire.PoolElement) elementJSON {
	return elementJSON{
		ID: e.ID.String(), Home: e.Home.String(), Life: e.Life,
		Protocol: e.User.Protocol.String(), Addresses: e.User.Addrs, Port: e.User.Port,
		Policy: e.Policy.Type.String(), Weight: optional(e.Policy.Weight()), Priority: optional(e.Policy.Priority()),
		Load: optional(e.Policy.Load()), Degradation: optional(e.Policy.Degradation()),
	}
}

func optional(v uint32, ok bool) *uint32 {
	if !ok {
		return nil
	}
	return &v
}
