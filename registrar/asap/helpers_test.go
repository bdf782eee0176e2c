// SPDX-License-Identifier: Apache-2.0

package asap_test

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

const (
	server   = wire.ServerID(0xf00d)
	interval = 10 * time.Second
	timeout  = 3 * time.Second
	grace    = 2 * time.Second
)

// peer is a session: its name is an identity's and, after a dot, which of its sessions it is. After an @ follow its
// addresses, for which it has 10.0.0.99 else, and /sctp if it is an association. "plain" and "anonymous" have no identity.
type peer string

func (p peer) ID() uint64 {
	h := fnv.New64a()
	h.Write([]byte(p))
	return h.Sum64()
}

func (p peer) Peer() string {
	name, _, _ := strings.Cut(string(p), "@")
	name, _, _ = strings.Cut(name, ".")
	return name
}

func (p peer) kind() handlespace.Kind {
	switch p.Peer() {
	case "plain":
		return handlespace.Plain
	case "anonymous":
		return handlespace.Anonymous
	}
	return handlespace.Proven
}

func (p peer) Protocol() wire.Protocol {
	if strings.HasSuffix(string(p), "/sctp") {
		return wire.ProtocolSCTP
	}
	return wire.ProtocolTCP
}

func (p peer) RemoteAddrs() (all []netip.AddrPort) {
	_, list, found := strings.Cut(strings.TrimSuffix(string(p), "/sctp"), "@")
	if !found {
		list = "10.0.0.99"
	}
	for _, a := range strings.Split(list, ",") {
		all = append(all, netip.AddrPortFrom(netip.MustParseAddr(a), 5000))
	}
	return all
}

// grants: a and b may serve web and db from 10.0.0.0/24 and 2001:db8::/32, c only web from where it is; r, s, t nothing.
func grantsOfAll() []asap.Grant {
	wide := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("2001:db8::/32")}
	both := []wire.PoolHandle{"web", "db"}
	return []asap.Grant{
		{Identity: "a", Pools: both, Addresses: wide},
		{Identity: "b", Pools: both, Addresses: wide},
		{Identity: "c", Pools: []wire.PoolHandle{"web"}},
	}
}

// world is a Core, a clock, and the identities that were made so far.
type world struct {
	core  *asap.Core
	start time.Time
	peers map[peer]handlespace.Identity
}

func newWorld(change ...func(*asap.Config)) *world {
	cfg := asap.Config{
		Server: server, Grants: grantsOfAll(), Grace: grace,
		KeepAlive: asap.KeepAlive{Interval: interval, Timeout: timeout},
		Rand:      rand.New(rand.NewPCG(1, 2)),
	}
	for _, f := range change {
		f(&cfg)
	}
	return &world{asap.New(cfg), time.Unix(1000, 0), map[peer]handlespace.Identity{}}
}

func (w *world) identity(p peer) handlespace.Identity {
	if _, ok := w.peers[p]; !ok && p != "nobody" {
		w.peers[p] = handlespace.Identify(p, p.kind())
	}
	return w.peers[p]
}

// event is something that happens to a registrar, at seconds after the start.
type event struct {
	at float64
	do func(w *world, now time.Time) []asap.Action
}

func (w *world) play(e event) []asap.Action {
	return e.do(w, w.start.Add(time.Duration(e.at*float64(time.Second))))
}

// then is what was given, and more; append would let two rules share memory.
func then(given []event, more ...event) []event { return slices.Concat(given, more) }

func sends(at float64, p peer, m wire.Message) event {
	return event{at, func(w *world, now time.Time) []asap.Action { return w.core.Handle(now, w.identity(p), m) }}
}

func registers(at float64, p peer, pool wire.PoolHandle, id wire.PEID, with ...func(*wire.PoolElement)) event {
	return sends(at, p, &wire.Registration{Pool: pool, Element: element(id, with...)})
}

func deregisters(at float64, p peer, pool wire.PoolHandle, id wire.PEID) event {
	return sends(at, p, &wire.Deregistration{Pool: pool, PE: id})
}

func resolves(at float64, p peer, pool wire.PoolHandle, items ...uint32) event {
	m := &wire.HandleResolution{Pool: pool}
	if len(items) > 0 {
		m.Items = &items[0]
	}
	return sends(at, p, m)
}

func subscribes(at float64, p peer, pool wire.PoolHandle, items ...uint32) event {
	m := &wire.HandleResolution{Pool: pool, Subscribe: true}
	if len(items) > 0 {
		m.Items = &items[0]
	}
	return sends(at, p, m)
}

func acks(at float64, p peer, pool wire.PoolHandle, id wire.PEID) event {
	return sends(at, p, &wire.EndpointKeepAliveAck{Pool: pool, PE: id})
}

func reports(at float64, p peer, pool wire.PoolHandle, id wire.PEID) event {
	return sends(at, p, &wire.EndpointUnreachable{Pool: pool, PE: id})
}

func closes(at float64, p peer) event {
	return event{at, func(w *world, now time.Time) []asap.Action { return w.core.Closed(now, w.identity(p)) }}
}

func passes(at float64) event {
	return event{at, func(w *world, now time.Time) []asap.Action { return w.core.Tick(now) }}
}

func grantsBecome(at float64, g ...asap.Grant) event {
	return event{at, func(w *world, now time.Time) []asap.Action { return w.core.SetGrants(now, g) }}
}

func learns(at float64, home wire.ServerID, pool wire.PoolHandle, id wire.PEID, with ...func(*wire.PoolElement)) event {
	return event{at, func(w *world, now time.Time) []asap.Action {
		return w.core.Learn(now, home, pool, element(id, with...))
	}}
}

func forgets(at float64, home wire.ServerID, pool wire.PoolHandle, id wire.PEID) event {
	return event{at, func(w *world, now time.Time) []asap.Action {
		return w.core.Forget(now, home, handlespace.Key{Pool: pool, PE: id})
	}}
}

func takesOver(at float64, target wire.ServerID) event {
	return event{at, func(w *world, now time.Time) []asap.Action { return w.core.TakeOver(now, target) }}
}

// reaches says that p is at the other end of the association that an element was to be reached over.
func reaches(at float64, p peer, pool wire.PoolHandle, id wire.PEID) event {
	return event{at, func(w *world, now time.Time) []asap.Action {
		return w.core.Reached(now, handlespace.Key{Pool: pool, PE: id}, w.identity(p))
	}}
}

func reachesNobody(at float64, pool wire.PoolHandle, id wire.PEID) event {
	return event{at, func(w *world, now time.Time) []asap.Action {
		return w.core.Unreached(now, handlespace.Key{Pool: pool, PE: id})
	}}
}

// element serves tcp 10.0.0.<id>:80, round robin, for ever.
func element(id wire.PEID, with ...func(*wire.PoolElement)) wire.PoolElement {
	e := wire.PoolElement{ID: id, Life: wire.LifeInfinite, Policy: wire.RoundRobin(), User: wire.Transport{
		Protocol: wire.ProtocolTCP, Port: 80, Addrs: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(id)})},
	}}
	for _, f := range with {
		f(&e)
	}
	return e
}

func life(seconds int32) func(*wire.PoolElement) {
	return func(e *wire.PoolElement) { e.Life = seconds }
}

func port(n uint16) func(*wire.PoolElement) { return func(e *wire.PoolElement) { e.User.Port = n } }

func wrr(weight uint32) func(*wire.PoolElement) {
	return func(e *wire.PoolElement) { e.Policy = wire.WeightedRoundRobin(weight) }
}

func policed(p wire.Policy) func(*wire.PoolElement) {
	return func(e *wire.PoolElement) { e.Policy = p }
}

// private is rsplib's LU-DPF, a policy of the numbers for private use.
func private(e *wire.PoolElement) { e.Policy = wire.Policy{Type: 0xb0002002, Data: make([]byte, 8)} }

func sctp(use wire.TransportUse) func(*wire.PoolElement) {
	return func(e *wire.PoolElement) { e.User.Protocol, e.User.Use = wire.ProtocolSCTP, use }
}

// speaksASAP gives an element an ASAP transport at its own address.
func speaksASAP(e *wire.PoolElement) {
	e.ASAP = &wire.Transport{Protocol: wire.ProtocolSCTP, Port: 5000, Addrs: e.User.Addrs}
}

func opaque(e *wire.PoolElement) {
	e.User = wire.Transport{Protocol: wire.ProtocolOpaque, Opaque: []byte("anywhere")}
}

func addrs(list ...string) func(*wire.PoolElement) {
	return func(e *wire.PoolElement) {
		e.User.Addrs = nil
		for _, a := range list {
			e.User.Addrs = append(e.User.Addrs, netip.MustParseAddr(a))
		}
		if len(list) != 1 {
			e.User.Protocol = wire.ProtocolSCTP
		}
	}
}

// lines is actions as a reader of the RFC would say them. Refused is left out: it is for the log. Updated is, too: see
// updates.
func (w *world) lines(actions []asap.Action) []string {
	var all []string
	for _, a := range actions {
		switch a := a.(type) {
		case asap.Changed:
			all = append(all, changedLine(a))
		case asap.Reach:
			all = append(all, fmt.Sprintf("reach %s %d at %v port %d", a.Key.Pool, a.Key.PE, a.Transport.Addrs, a.Transport.Port))
		case asap.Send:
			all = append(all, fmt.Sprintf("%s <- %s", w.name(a.Session), messageLine(a.Message)))
		case asap.Close:
			all = append(all, "close "+w.name(a.Session))
		}
	}
	return all
}

// updates is what other registrars are told.
func updates(actions []asap.Action) (all []string) {
	for _, a := range actions {
		if u, ok := a.(asap.Updated); ok {
			all = append(all, fmt.Sprintf("%v %s %d home %v life %d", u.Action, u.Pool, u.Element.ID, u.Element.Home, u.Element.Life))
		}
	}
	return all
}

func (w *world) name(session uint64) string {
	for p := range w.peers {
		if p.ID() == session {
			return string(p)
		}
	}
	return "nobody"
}

func changedLine(a asap.Changed) string {
	var all []string
	for e := range a.Pool.All() {
		all = append(all, fmt.Sprintf("%d %v", e.ID, e.State))
	}
	for _, d := range a.Departed {
		all = append(all, fmt.Sprintf("%d %v", d.Element.ID, d.Reason))
	}
	return fmt.Sprintf("%s: %s", a.Pool.Handle(), strings.Join(all, ", "))
}

func messageLine(m wire.Message) string {
	switch m := m.(type) {
	case *wire.RegistrationResponse:
		if m.Reject {
			return fmt.Sprintf("registration R=1 %s %d%s", m.Pool, m.PE, causes(m.Causes))
		}
		return fmt.Sprintf("registration R=0 %s %d%s", m.Pool, m.PE, causes(m.Causes))
	case *wire.DeregistrationResponse:
		return fmt.Sprintf("deregistration %s %d%s", m.Pool, m.PE, causes(m.Causes))
	case *wire.HandleResolutionResponse:
		return resolutionLine(m)
	case *wire.EndpointKeepAlive:
		return fmt.Sprintf("keep-alive H=%v %v %s %d", m.Home, m.Server, m.Pool, *m.PE)
	}
	return fmt.Sprintf("%v", m.Type())
}

func resolutionLine(m *wire.HandleResolutionResponse) string {
	var ids []wire.PEID
	for _, e := range m.Elements {
		ids = append(ids, e.ID)
	}
	line := fmt.Sprintf("resolution A=%v %s%s", m.Accepted, m.Pool, causes(m.Causes))
	for _, id := range ids {
		line += fmt.Sprintf(" %d", id)
	}
	if m.Policy != nil {
		line += " " + m.Policy.Type.String()
	}
	return line
}

func causes(list []wire.ErrorCause) string {
	line := ""
	for _, c := range list {
		line += fmt.Sprintf(" cause %#x", uint16(c.Code))
		if len(c.Info) > 0 {
			line += fmt.Sprintf(" %x", c.Info)
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

func checkRules(t *testing.T, rules []rule, change ...func(*asap.Config)) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld(change...)
			for _, e := range r.given {
				w.play(e)
			}
			got := w.lines(w.play(r.when))
			if !slices.Equal(got, r.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(r.want, "\n  "))
			}
		})
	}
}

func addrLine(list []netip.Addr) string { return fmt.Sprint(list) }
