// SPDX-License-Identifier: Apache-2.0

package enrp_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/enrp"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// The registrar under test is 5; those below it lose a contest with it, those above win.
const self = wire.ServerID(5)

// world is a Core, its handlespace, and a clock. The session with registrar n has the number n, further ones n0, n1, ….
type world struct {
	core  *enrp.Core
	space *handlespace.Space
	start time.Time
	dials map[wire.ServerID]uint64
}

func newWorld(change ...func(*enrp.Config)) *world {
	w := &world{space: handlespace.New(), start: time.Unix(1000, 0), dials: map[wire.ServerID]uint64{}}
	cfg := enrp.Config{Self: info(self), Space: w.space, Rand: rand.New(rand.NewPCG(1, 2))}
	for _, f := range change {
		f(&cfg)
	}
	w.core = enrp.New(cfg)
	return w
}

func knows(ids ...wire.ServerID) func(*enrp.Config) {
	return func(c *enrp.Config) {
		for _, id := range ids {
			c.Known = append(c.Known, enrp.Peer{Server: id, Transport: info(id).Transport})
		}
	}
}

// info is where registrar n is: 10.0.0.n.
func info(id wire.ServerID) wire.ServerInfo {
	return wire.ServerInfo{ID: id, Transport: wire.Transport{
		Protocol: wire.ProtocolSCTP, Port: 9901, Addrs: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(id)})},
	}}
}

// element serves tcp 10.1.0.<id>:80, round robin, for ever; its home is home.
func element(id wire.PEID, home wire.ServerID) wire.PoolElement {
	return wire.PoolElement{ID: id, Home: home, Life: wire.LifeInfinite, Policy: wire.RoundRobin(), User: wire.Transport{
		Protocol: wire.ProtocolTCP, Port: 80, Addrs: []netip.Addr{netip.AddrFrom4([4]byte{10, 1, 0, byte(id)})},
	}}
}

// client is a session of a pool element.
type client uint64

func (c client) ID() uint64                    { return uint64(c) }
func (c client) Peer() string                  { return fmt.Sprintf("client%d", c) }
func (c client) Protocol() wire.Protocol       { return wire.ProtocolTCP }
func (c client) RemoteAddrs() []netip.AddrPort { return nil }

// apply does to the handlespace what the registrar does with a Core's actions, by way of ASAP.
func apply(space *handlespace.Space, me wire.ServerID, actions []enrp.Action) {
	for _, a := range actions {
		switch a := a.(type) {
		case enrp.Learn:
			space.Learn(a.Home, a.Pool, a.Element)
		case enrp.Forget:
			space.Remove(a.Key)
		case enrp.TakeOver:
			var taken []handlespace.Key
			for k := range space.Children(a.Target, handlespace.Key{}) {
				taken = append(taken, k)
			}
			for _, k := range taken {
				space.Rehome(k, me)
			}
		}
	}
}

// event is something that happens to a registrar, at seconds after the start.
type event struct {
	at float64
	do func(w *world, now time.Time) []enrp.Action
}

func (w *world) play(e event) []enrp.Action {
	actions := e.do(w, w.start.Add(time.Duration(e.at*float64(time.Second))))
	for _, a := range actions {
		if d, ok := a.(enrp.Dial); ok {
			w.dials[d.Server] = d.ID
		}
	}
	apply(w.space, self, actions)
	return actions
}

func starts(at float64) event {
	return event{at, func(w *world, now time.Time) []enrp.Action { return w.core.Start(now) }}
}

func passes(at float64) event {
	return event{at, func(w *world, now time.Time) []enrp.Action { return w.core.Tick(now) }}
}

// accepts is a session that somebody made with us.
func accepts(at float64, session uint64) event {
	return event{at, func(w *world, now time.Time) []enrp.Action {
		return w.core.Connected(now, enrp.From{Session: session}, 0)
	}}
}

// reaches is a session with a registrar that was dialled.
func reaches(at float64, id wire.ServerID, session uint64) event {
	return event{at, func(w *world, now time.Time) []enrp.Action {
		return w.core.Connected(now, enrp.From{Session: session}, w.dials[id])
	}}
}

func misses(at float64, id wire.ServerID) event {
	return event{at, func(w *world, now time.Time) []enrp.Action { return w.core.DialFailed(now, w.dials[id]) }}
}

func closes(at float64, session uint64) event {
	return event{at, func(w *world, now time.Time) []enrp.Action { return w.core.Closed(now, session) }}
}

func says(at float64, session uint64, m wire.ENRPMessage) event {
	return event{at, func(w *world, now time.Time) []enrp.Action {
		return w.core.Handle(now, enrp.From{Session: session}, m)
	}}
}

func registers(at float64, pool wire.PoolHandle, id wire.PEID) event {
	return event{at, func(w *world, now time.Time) []enrp.Action {
		e, _, err := w.space.Register(self, handlespace.Identify(client(id), handlespace.Proven), pool, element(id, 0))
		if err != nil {
			panic(err)
		}
		return w.core.Updated(now, wire.ActionAddPE, pool, e.Wire())
	}}
}

func leaves(at float64, pool wire.PoolHandle, id wire.PEID) event {
	return event{at, func(w *world, now time.Time) []enrp.Action {
		e := w.space.Remove(handlespace.Key{Pool: pool, PE: id})
		return w.core.Updated(now, wire.ActionDeletePE, pool, e.Wire())
	}}
}

func between(from, to wire.ServerID) wire.Servers { return wire.Servers{Sender: from, Receiver: to} }

// here is a Presence of registrar id, which has these elements.
func here(id wire.ServerID, elements ...handlespace.Key) *wire.Presence {
	var sum wire.Checksum
	for _, k := range elements {
		sum.Add(k.Pool, k.PE)
	}
	value, i := sum.Value(), info(id)
	return &wire.Presence{Servers: between(id, 0), Checksum: &value, Info: &i}
}

func asking(m *wire.Presence) *wire.Presence {
	m.ReplyRequired = true
	return m
}

func adds(from wire.ServerID, pool wire.PoolHandle, id wire.PEID) *wire.HandleUpdate {
	return &wire.HandleUpdate{Servers: between(from, 0), Action: wire.ActionAddPE, Pool: pool, Element: element(id, from)}
}

func deletes(from wire.ServerID, pool wire.PoolHandle, id wire.PEID) *wire.HandleUpdate {
	m := adds(from, pool, id)
	m.Action = wire.ActionDeletePE
	return m
}

func tableOf(from wire.ServerID, more bool, entries ...wire.PoolEntry) *wire.HandleTableResponse {
	return &wire.HandleTableResponse{Servers: between(from, self), More: more, Entries: entries}
}

func entry(pool wire.PoolHandle, home wire.ServerID, ids ...wire.PEID) wire.PoolEntry {
	e := wire.PoolEntry{Pool: pool}
	for _, id := range ids {
		e.Elements = append(e.Elements, element(id, home))
	}
	return e
}

func key(pool wire.PoolHandle, id wire.PEID) handlespace.Key {
	return handlespace.Key{Pool: pool, PE: id}
}

// friend is a registrar that is a peer, at 0 s.
func friend(id wire.ServerID, elements ...wire.PEID) []event {
	var keys []handlespace.Key
	all := []event{accepts(0, uint64(id)), says(0, uint64(id), here(id))}
	all = append(all, says(0, uint64(id), tableOf(id, false)))
	for _, pe := range elements {
		keys = append(keys, key("web", pe))
		all = append(all, says(0, uint64(id), adds(id, "web", pe)))
	}
	return append(all, says(0, uint64(id), here(id, keys...)))
}

func given(parts ...any) []event {
	var all []event
	for _, p := range parts {
		switch p := p.(type) {
		case event:
			all = append(all, p)
		case []event:
			all = append(all, p...)
		}
	}
	return all
}

// lines is actions as a reader of the RFC would say them.
func lines(actions []enrp.Action) []string {
	var all []string
	for _, a := range actions {
		switch a := a.(type) {
		case enrp.Send:
			all = append(all, fmt.Sprintf("%d <- %s", a.Session, messageLine(a.Message)))
		case enrp.Multicast:
			all = append(all, "multicast <- "+messageLine(a.Message))
		case enrp.Dial:
			all = append(all, fmt.Sprintf("dial %d at %v", a.Server, a.Transport.Addrs[0]))
		case enrp.Hangup:
			all = append(all, fmt.Sprintf("hang up %d", a.Session))
		case enrp.Learn:
			all = append(all, fmt.Sprintf("learn %s %d of %d", a.Pool, a.Element.ID, a.Home))
		case enrp.Forget:
			all = append(all, fmt.Sprintf("forget %s %d of %d", a.Key.Pool, a.Key.PE, a.Home))
		case enrp.TakeOver:
			all = append(all, fmt.Sprintf("take over %d", a.Target))
		case enrp.Synchronised:
			all = append(all, fmt.Sprintf("synchronised by %d", a.Mentor))
		case enrp.PeerChanged:
			all = append(all, fmt.Sprintf("%d is %v", a.Server, a.State))
		case enrp.Refused:
			all = append(all, fmt.Sprintf("refused %d: %v", a.Sender, a.Err.Cause))
		}
	}
	return all
}

func messageLine(m wire.ENRPMessage) string {
	if m.Between().Sender != self {
		return "of a wrong sender"
	}
	line := strings.TrimPrefix(m.Type().String(), "ENRP_")
	if to := m.Between().Receiver; to != 0 {
		line += fmt.Sprintf(" to %d", to)
	}
	switch m := m.(type) {
	case *wire.Presence:
		return fmt.Sprintf("%s R=%v", line, m.ReplyRequired)
	case *wire.HandleTableRequest:
		return fmt.Sprintf("%s W=%v", line, m.OwnChildren)
	case *wire.HandleTableResponse:
		return fmt.Sprintf("%s R=%v M=%v%s", line, m.Reject, m.More, entriesLine(m.Entries))
	case *wire.HandleUpdate:
		return fmt.Sprintf("%s %v %s %d of %d", line, m.Action, m.Pool, m.Element.ID, m.Element.Home)
	case *wire.ListResponse:
		line += fmt.Sprintf(" R=%v", m.Reject)
		for _, p := range m.Peers {
			line += fmt.Sprintf(" %d", p.ID)
		}
	case *wire.InitTakeover:
		line += fmt.Sprintf(" of %d", m.Target)
	case *wire.InitTakeoverAck:
		line += fmt.Sprintf(" of %d", m.Target)
	case *wire.TakeoverServer:
		line += fmt.Sprintf(" of %d", m.Target)
	case *wire.ENRPErrorMessage:
		for _, cause := range m.Causes {
			line += fmt.Sprintf(" cause %#x", uint16(cause.Code))
		}
	}
	return line
}

func entriesLine(entries []wire.PoolEntry) string {
	line := ""
	for _, e := range entries {
		line += " " + string(e.Pool) + ":"
		for _, el := range e.Elements {
			line += fmt.Sprintf(" %d of %d", el.ID, el.Home)
		}
	}
	return line
}

// rule is one row of a table that reads like the RFC: given what happened before, when this happens, want these actions.
type rule struct {
	name  string
	given []event
	when  event
	want  []string
}

func checkRules(t *testing.T, rules []rule, change ...func(*enrp.Config)) {
	t.Helper()
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld(change...)
			for _, e := range r.given {
				w.play(e)
			}
			got := lines(w.play(r.when))
			if !slices.Equal(got, r.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(r.want, "\n  "))
			}
		})
	}
}
