// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"net/netip"
	"testing"
	"time"

	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// peer is a session as handlespace needs it.
type peer struct {
	id   uint64
	name string
}

func (p peer) ID() uint64                    { return p.id }
func (p peer) Peer() string                  { return p.name }
func (peer) Protocol() wire.Protocol         { return wire.ProtocolTCP }
func (p peer) RemoteAddrs() []netip.AddrPort { return nil }

const testPool = wire.PoolHandle("web")

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// world is a handlespace and the service that follows it.
type world struct {
	t     *testing.T
	space *handlespace.Space
	who   map[string]handlespace.Identity
	svc   *service
	now   time.Time
}

func newWorld(t *testing.T) *world {
	return &world{t: t, space: handlespace.New(), who: map[string]handlespace.Identity{}, now: time.Unix(1000, 0),
		svc: &service{Service: maps.Service{VIP: addr("10.0.100.1:80"), Protocol: maps.TCP}, pool: testPool, elements: map[elementKey]*element{}}}
}

// register registers and lets the service see it.
func (w *world) register(name string, pe wire.PEID, at string, weight uint32) {
	w.t.Helper()
	a := addr(at)
	id := handlespace.Identify(peer{uint64(len(w.who) + 1), name}, handlespace.Proven)
	w.who[name] = id
	_, _, err := w.space.Register(1, id, testPool, wire.PoolElement{ID: pe, Life: -1, Policy: wire.WeightedRoundRobin(weight),
		User: wire.Transport{Protocol: wire.ProtocolTCP, Port: a.Port(), Addrs: []netip.Addr{a.Addr()}}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.see()
}

func (w *world) see() {
	w.svc.update(change{pool: w.space.Pool(testPool)}, w.now)
}

// leave takes an element out for the given reason.
func (w *world) leave(pe wire.PEID, reason handlespace.DepartReason) {
	w.t.Helper()
	e := w.space.Remove(handlespace.Key{Pool: testPool, PE: pe})
	p := w.space.Pool(testPool)
	if p == nil {
		p = w.space.Gone(testPool)
	}
	w.svc.update(change{pool: p, departed: []handlespace.Departure{{Element: e, Reason: reason}}}, w.now)
}

func (w *world) want(pe wire.PEID, at string, state maps.State) {
	w.t.Helper()
	e := w.svc.elements[elementKey{pe, addr(at)}]
	if e == nil {
		w.t.Fatalf("element %s at %s: none, want it %s", pe, at, state)
	}
	if e.state != state {
		w.t.Errorf("element %s at %s is %s, want %s", pe, at, e.state, state)
	}
}

// An element that registered with another registrar gets its share, and what its home says of it counts.
func TestForeignElements(t *testing.T) {
	w := newWorld(t)
	w.register("pe-1", 1, "10.0.11.2:8080", 3)
	const far, at = wire.ServerID(2), "10.0.12.2:8080"
	a := addr(at)
	learn := func(home wire.ServerID) {
		_, _, err := w.space.Learn(home, testPool, wire.PoolElement{ID: 2, Life: -1, Policy: wire.WeightedRoundRobin(1),
			User: wire.Transport{Protocol: wire.ProtocolTCP, Port: a.Port(), Addrs: []netip.Addr{a.Addr()}}})
		if err != nil {
			t.Fatal(err)
		}
		w.see()
	}
	learn(far)
	w.want(2, at, maps.Active)
	status := w.svc.status(func(elementKey) uint64 { return 0 }, func(netip.Addr) string { return "" })
	if e := status.Elements[0]; e.Home != far.String() || e.Identity != "" || e.Share != 0.25 {
		t.Errorf("%+v, want a quarter for the element of the other registrar", e)
	}
	w.space.Rehome(handlespace.Key{Pool: testPool, PE: 2}, 1) // a takeover changes nothing here
	w.see()
	w.want(2, at, maps.Active)
	w.leave(2, handlespace.Forgotten)
	w.want(2, at, maps.Draining)
}

func TestElementStates(t *testing.T) {
	const at = "10.0.11.2:8080"
	away := func(w *world) {
		w.space.SetState(handlespace.Key{Pool: testPool, PE: 1}, handlespace.Away)
		w.see()
	}
	left := func(reason handlespace.DepartReason) func(*world) {
		return func(w *world) { w.leave(1, reason) }
	}
	for _, tc := range []struct {
		name string
		then func(*world)
		want maps.State
	}{
		{"registered", func(*world) {}, maps.Active},
		{"association ended: no new flows, within the grace", away, maps.Away},
		{"back within the grace", func(w *world) { away(w); w.register("pe-1", 1, at, 3) }, maps.Active},
		{"grace ran out", func(w *world) { away(w); w.leave(1, handlespace.Lost) }, maps.Lost},
		{"keep-alive unanswered", left(handlespace.Lost), maps.Lost},
		{"reported unreachable", left(handlespace.Unreachable), maps.Lost},
		{"grant taken away", left(handlespace.Revoked), maps.Lost},
		{"deregistered", left(handlespace.Deregistered), maps.Draining},
		{"registration life over", left(handlespace.Expired), maps.Draining},
		{"back while draining", func(w *world) { w.leave(1, handlespace.Deregistered); w.register("pe-1", 1, at, 3) }, maps.Active},
		{"lost, but the same server is back under another identifier", func(w *world) {
			away(w)
			w.register("pe-1", 2, at, 3)
			w.leave(1, handlespace.Lost)
		}, maps.Draining},
		{"lost, and somebody else claims its address", func(w *world) {
			w.register("pe-2", 2, at, 3)
			w.leave(1, handlespace.Lost)
		}, maps.Lost},
		{"moved to another address: the old one drains", func(w *world) { w.register("pe-1", 1, "10.0.11.3:8080", 3) }, maps.Draining},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.register("pe-1", 1, at, 3)
			tc.then(w)
			w.want(1, at, tc.want)
		})
	}
}

func TestClientsAreToldThreeTimes(t *testing.T) {
	w := newWorld(t)
	w.register("pe-1", 1, "10.0.11.2:8080", 1)
	w.leave(1, handlespace.Lost)
	tell := w.svc.elements[elementKey{1, addr("10.0.11.2:8080")}].tell
	want := []time.Duration{0, 250 * time.Millisecond, time.Second}
	if len(tell) != len(want) {
		t.Fatalf("told at %v, want %v after the loss", tell, want)
	}
	for i := range want {
		if got := tell[i].Sub(w.now); got != want[i] {
			t.Errorf("told %s after the loss, want %s", got, want[i])
		}
	}
}

// A restart adopts the kernel's rows; nothing is lost by a handlespace that is still empty.
func TestRecovery(t *testing.T) {
	w := newWorld(t)
	for i, state := range []maps.State{maps.Active, maps.Away, maps.Draining, maps.Active} {
		w.svc.adopt(maps.Row{Index: uint16(i + 1), Element: maps.Element{
			PE: uint32(i + 1), Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 11, byte(i)}), 80), Weight: 2, State: state}}, w.now)
	}
	w.register("pe-4", 4, "10.0.11.3:80", 2) // the only one that registers again
	w.want(1, "10.0.11.0:80", maps.Active)
	w.want(2, "10.0.11.1:80", maps.Away)
	w.want(3, "10.0.11.2:80", maps.Draining)

	if lost := w.svc.endRecovery(w.now); lost != 2 {
		t.Errorf("%d elements lost at the end of the recovery, want 2", lost)
	}
	w.want(1, "10.0.11.0:80", maps.Lost)
	w.want(2, "10.0.11.1:80", maps.Lost)
	w.want(3, "10.0.11.2:80", maps.Draining)
	w.want(4, "10.0.11.3:80", maps.Active)
}

func TestAPoolOfAnotherProtocolIsNotServed(t *testing.T) {
	w := newWorld(t)
	w.svc.Protocol = maps.UDP
	w.register("pe-1", 1, "10.0.11.2:8080", 1)
	if n := len(w.svc.elements); n != 0 {
		t.Errorf("%d elements of a TCP pool in a UDP service, want none", n)
	}
}

func TestWeightsFollowThePolicy(t *testing.T) {
	w := newWorld(t)
	w.register("pe-1", 1, "10.0.11.2:8080", 3)
	w.register("pe-2", 2, "10.0.12.2:8080", 1)
	w.register("pe-1", 1, "10.0.11.2:8080", 5)
	got := map[uint32]uint32{}
	for _, e := range w.svc.wanted() {
		got[e.PE] = e.Weight
	}
	if got[1] != 5 || got[2] != 1 || len(got) != 2 {
		t.Errorf("weights %v, want 1:5 2:1", got)
	}
}
