// SPDX-License-Identifier: Apache-2.0

package enrp_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/enrp"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// The bounds that FuzzCore holds the Core to.
const (
	fuzzPeers     = 3
	fuzzDownloads = 2
)

// FuzzCore plays three bytes at a time: what happens, and two arguments. Whatever the peers say, the Core stays within its
// bounds, says what can be sent, and touches nobody's elements without a word from who may speak for them.
func FuzzCore(f *testing.F) {
	for seed := range uint64(8) {
		rnd, script := rand.New(rand.NewPCG(seed, 0)), make([]byte, 900)
		for i := range script {
			script[i] = byte(rnd.Uint32())
		}
		f.Add(script, seed%2 == 0)
	}
	f.Fuzz(func(t *testing.T, script []byte, secured bool) {
		p := newPlayer(secured)
		p.check(t, p.core.Start(p.now), 0)
		for i := 0; i+2 < min(len(script), 6000); i += 3 {
			p.act(t, script[i], script[i+1], script[i+2])
		}
		for id := range uint64(16) { // everybody leaves
			p.check(t, p.core.Closed(p.now, id), 0)
		}
		for range 200 { // each of the few peers needs a few ticks to die
			d := p.core.Deadline()
			if d.Before(p.now) {
				d = p.now
			}
			p.now = d
			p.check(t, p.core.Tick(p.now), 0)
		}
		p.alone(t)
	})
}

// player is a Core, what is in its handlespace, and the sessions that it takes for alive.
type player struct {
	*world
	now     time.Time
	pending map[uint64]bool // dials
	synced  bool
}

func newPlayer(secured bool) *player {
	w := newWorld(knows(7, 8), func(c *enrp.Config) {
		c.Secured, c.Multicast = secured, !secured
		c.MaxPeers, c.MaxDownloads, c.MaxTableElements, c.Timers = fuzzPeers, fuzzDownloads, 2, short
	})
	return &player{world: w, now: w.start, pending: map[uint64]bool{}}
}

// act plays one event. Registrars are 5 (the Core itself), 6 to 11, and 0; sessions 0 to 15.
func (p *player) act(t *testing.T, what, a, b byte) {
	id, session := wire.ServerID(a%8)+4, uint64(b%16)
	if id == 4 {
		id = 0
	}
	from := enrp.From{Session: session}
	if what&0x40 != 0 {
		from.Server = id
	}
	switch what % 16 {
	case 0:
		p.check(t, p.core.Closed(p.now, session), 0)
	case 1:
		p.check(t, p.core.Connected(p.now, from, 0), 0)
	case 2:
		for d := range p.pending {
			if d%16 == session {
				delete(p.pending, d)
				p.check(t, p.core.Connected(p.now, from, d), 0)
			}
		}
	case 3:
		for d := range p.pending {
			if d%16 == session {
				delete(p.pending, d)
				p.check(t, p.core.DialFailed(p.now, d), 0)
			}
		}
	case 4, 5:
		p.now = p.now.Add(time.Duration(a) * 30 * time.Millisecond)
		p.check(t, p.core.Tick(p.now), 0)
	case 6:
		p.register(t, a, b)
	case 7:
		i := info(id)
		m := &wire.Presence{Servers: between(id, 0), Info: &i}
		p.check(t, p.core.Hint(p.now, netip.MustParseAddrPort("10.0.0.99:9901"), m), 0)
	case 8:
		p.check(t, p.core.Fault(p.now, from, &wire.Error{Cause: wire.CauseUnrecognizedMessage, Report: a&1 == 0}), 0)
	default:
		m := message(what, id, a, b)
		p.check(t, p.core.Handle(p.now, from, m), id)
	}
}

// message is one of registrar id.
func message(what byte, id wire.ServerID, a, b byte) wire.ENRPMessage {
	s := between(id, []wire.ServerID{0, self, 0, 99}[b>>4%4])
	target := wire.ServerID(b%8) + 4
	var entries []wire.PoolEntry
	if b&1 != 0 {
		entries = []wire.PoolEntry{entry("web", target, wire.PEID(a>>4), wire.PEID(b>>4)), entry("db", id, wire.PEID(a>>4))}
	}
	switch (what>>4 + a>>3) % 12 {
	case 0:
		return &wire.HandleUpdate{Servers: s, Action: wire.UpdateAction(b & 1), Pool: "web", Element: element(wire.PEID(a>>4), id)}
	case 1:
		return &wire.HandleUpdate{Servers: s, Action: wire.UpdateAction(b & 1), Pool: "db", Element: element(wire.PEID(a>>4), target)}
	case 2:
		return &wire.HandleTableRequest{Servers: s, OwnChildren: b&1 != 0}
	case 3:
		return &wire.HandleTableResponse{Servers: s, Reject: b&15 == 2, More: b&4 != 0, Entries: entries}
	case 4:
		return &wire.ListRequest{Servers: s}
	case 5:
		return &wire.ListResponse{Servers: s, Reject: b&7 == 1, Peers: []wire.ServerInfo{info(target), info(id), info(self)}}
	case 6:
		return &wire.InitTakeover{Servers: s, Target: target}
	case 7:
		return &wire.InitTakeoverAck{Servers: s, Target: target}
	case 8:
		return &wire.TakeoverServer{Servers: s, Target: target}
	case 9:
		return &wire.ENRPErrorMessage{Servers: s, Causes: []wire.ErrorCause{{}}}
	}
	m := here(id, key("web", wire.PEID(a>>4)))
	m.Servers, m.ReplyRequired = s, b&1 != 0
	if b&6 == 6 {
		m.Info = nil
	}
	return m
}

func (p *player) register(t *testing.T, a, b byte) {
	pool, id := []wire.PoolHandle{"web", "db"}[a&1], wire.PEID(a>>4)
	e, _, err := p.space.Register(self, handlespace.Identify(client(id), handlespace.Proven), pool, element(id, 0))
	if err != nil {
		t.Fatal(err)
	}
	p.check(t, p.core.Updated(p.now, wire.ActionAddPE, pool, e.Wire()), 0)
	if b&1 == 0 {
		p.space.Remove(key(pool, id))
		p.check(t, p.core.Updated(p.now, wire.ActionDeletePE, pool, e.Wire()), 0)
	}
}

// check applies actions, which speaker's message led to if it is not 0, and holds each of them, and the Core, to what they
// must be.
func (p *player) check(t *testing.T, actions []enrp.Action, speaker wire.ServerID) {
	t.Helper()
	for _, a := range actions {
		switch a := a.(type) {
		case enrp.Send:
			if _, err := wire.AppendENRP(nil, a.Message); err != nil {
				t.Fatalf("cannot be sent: %v", err)
			}
		case enrp.Dial:
			if len(a.Transport.Addrs) == 0 || p.pending[a.ID] {
				t.Fatalf("%+v cannot be dialled", a)
			}
			p.pending[a.ID] = true
		case enrp.Learn:
			if a.Home == self || a.Home == 0 || a.Element.Home != a.Home || speaker == 0 && !p.inherits(a) {
				t.Fatalf("%+v from %v", a, speaker)
			}
		case enrp.Forget:
			e := p.space.Find(a.Key)
			if speaker == 0 || a.Home != speaker || e == nil || e.Home == self {
				t.Fatalf("%+v from %v, is %+v", a, speaker, e)
			}
		case enrp.TakeOver:
			if a.Target == self {
				t.Fatal("we take over ourselves")
			}
		case enrp.Synchronised:
			if p.synced {
				t.Fatal("synchronised twice")
			}
			p.synced = true
		}
		apply(p.space, self, []enrp.Action{a})
	}
	p.bounds(t)
}

// inherits says whether this is only another home for what another registrar had: what is learnt without a message is
// what a dispute's end gives to the heir.
func (p *player) inherits(l enrp.Learn) bool {
	e := p.space.Find(key(l.Pool, l.Element.ID))
	return e != nil && e.Home != self && e.Home != l.Home
}

func (p *player) bounds(t *testing.T) {
	t.Helper()
	n := p.core.Counters()
	peers := 0
	for _, of := range n.Peers {
		peers += of
	}
	switch {
	case peers > fuzzPeers || n.Peers[enrp.Gone] > 0:
		t.Fatalf("peers %v", n.Peers)
	case n.Downloads > fuzzDownloads:
		t.Fatalf("%d downloads", n.Downloads)
	case n.Sessions > 16 || len(p.pending) > fuzzPeers+2:
		t.Fatalf("%d sessions, %d dials", n.Sessions, len(p.pending))
	case p.core.Deadline().IsZero():
		t.Fatal("there is always a heartbeat to come")
	case p.core.Synchronised() != p.synced:
		t.Fatal("synchronised or not?")
	}
}

// alone: when everybody is gone, all elements are ours, and nothing is left of anybody.
func (p *player) alone(t *testing.T) {
	t.Helper()
	n := p.core.Counters()
	if n.Peers != [enrp.PeerStates]int{} || n.Downloads != 0 || n.Sessions != 0 || !p.synced {
		t.Errorf("left: %+v, synchronised %v", n, p.synced)
	}
	for _, home := range p.space.Homes() {
		if home != self {
			t.Errorf("%d elements of %v are left", p.space.NumChildren(home), home)
		}
	}
}
