// SPDX-License-Identifier: Apache-2.0

package asap_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// FuzzCore plays two bytes at a time: what happens, and to whom. The first says whether the registrar is secured.
// Afterwards all sessions end and the other registrars' elements are forgotten, and nothing may be left.
func FuzzCore(f *testing.F) {
	for seed := range uint64(8) {
		rnd, script := rand.New(rand.NewPCG(seed, 0)), make([]byte, 1001)
		for i := range script {
			script[i] = byte(rnd.Uint32())
		}
		script[0] = byte(seed)
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) == 0 {
			return
		}
		p := newPlayer(script[0]%2 == 1)
		for script = script[1:min(len(script), 1001)]; len(script) > 1; script = script[2:] {
			p.check(t, p.act(script[0], script[1]))
		}
		p.end(t)
	})
}

const (
	maxPlayed     = 9 // elements
	maxPlayedEach = 5 // of an identity
	maxPlayedSubs = 6
)

func players() []peer {
	return []peer{
		"a", "a.2", "b", "b.2/sctp", "c", "r", "s", "nobody",
		"plain@10.0.0.1/sctp", "plain.2@10.0.0.1/sctp", "plain@10.0.0.2", "plain@10.0.0.3,2001:db8::3/sctp",
		"anonymous@10.0.0.1", "anonymous@10.9.0.1", "anonymous@2001:db8::1", "anonymous@2001:db8::2",
	}
}

// player is a world, its time, and what an observer has learnt of it: the elements by name, and the associations that it
// was asked to set up and has not closed.
type player struct {
	*world
	unsecured bool
	now       time.Time
	elements  map[handlespace.Key]*handlespace.Element
	updated   map[handlespace.Key]bool // what another registrar takes for ours, by what it is told
	dialled   uint64                   // sessions
	open      map[uint64]handlespace.Identity
	last      handlespace.Identity // of open
}

func newPlayer(unsecured bool) *player {
	w := newWorld(func(c *asap.Config) {
		c.MaxElements, c.MaxElementsPerIdentity, c.Unsecured = maxPlayed, maxPlayedEach, unsecured
		c.Subscriptions = asap.Subscriptions{PerSession: 2, Total: maxPlayedSubs, Interval: time.Second}
		c.Adoption = asap.Adoption{Spread: time.Second, Grace: 5 * time.Second}
		c.ReportWindow = 20 * time.Second
	})
	return &player{
		world: w, unsecured: unsecured, now: w.start, elements: map[handlespace.Key]*handlespace.Element{},
		updated: map[handlespace.Key]bool{}, open: map[uint64]handlespace.Identity{},
	}
}

// play is one move: what happens, to which element, and who does it.
func (p *player) act(what, whom byte) []asap.Action {
	from := p.identity(players()[whom%16])
	k := handlespace.Key{
		Pool: []wire.PoolHandle{"web", "web", "db", "bank"}[whom>>4%4], PE: wire.PEID(whom>>6) + 1,
	}
	home := []wire.ServerID{peerA, peerB, server, 0}[what>>5%4]
	switch what % 32 {
	case 0:
		return p.core.Closed(p.now, from)
	case 1:
		return p.core.SetGrants(p.now, grantsOfAll()[:1+whom%3])
	case 2, 3, 4, 5, 6:
		p.now = p.now.Add(time.Duration(whom) * 20 * time.Millisecond)
		return p.core.Tick(p.now)
	case 7:
		p.core.Forgive(p.now)
		return nil
	case 8, 9:
		return p.core.Learn(p.now, home, k.Pool, p.element(k, what>>5))
	case 10:
		return p.core.Forget(p.now, home, k)
	case 11:
		return p.core.TakeOver(p.now, home)
	case 12, 13:
		return p.core.Reached(p.now, k, p.dial(players()[whom%16]))
	case 14:
		return p.core.Unreached(p.now, k)
	}
	if what%32 == 21 || what%64 == 25 {
		from = p.last
	}
	return p.core.Handle(p.now, from, p.message(what, k))
}

// association is a new one with a peer.
type association struct {
	peer
	id uint64
}

func (a association) ID() uint64 { return a.id }

func (p *player) dial(with peer) handlespace.Identity {
	p.dialled++
	p.last = handlespace.Identify(association{with, p.dialled}, with.kind())
	p.open[p.dialled] = p.last
	return p.last
}

func (p *player) message(what byte, k handlespace.Key) wire.Message {
	switch what % 32 {
	case 15, 16:
		return &wire.Deregistration{Pool: k.Pool, PE: k.PE}
	case 17, 18:
		items := uint32(what >> 5)
		return &wire.HandleResolution{Pool: k.Pool, Subscribe: what%32 == 17, Items: &items}
	case 19, 20, 21:
		return &wire.EndpointKeepAliveAck{Pool: k.Pool, PE: k.PE}
	case 22, 23:
		return &wire.EndpointUnreachable{Pool: k.Pool, PE: k.PE}
	case 24:
		return &wire.ServerAnnounce{}
	}
	return &wire.Registration{Pool: k.Pool, Element: p.element(k, what>>5)}
}

func (p *player) element(k handlespace.Key, option byte) wire.PoolElement {
	own := policed(wire.RoundRobin())
	if k.Pool == "db" {
		own = policed(wire.LeastUsedWithDegradation(uint32(option), 50))
	}
	with := []func(*wire.PoolElement){life(1), life(20), life(0), port(81), wrr(uint32(option % 3)), sctp(1), opaque, speaksASAP}
	return element(k.PE, own, with[option%8])
}

func (p *player) end(t *testing.T) {
	for _, who := range players() {
		p.check(t, p.core.Closed(p.now, p.identity(who)))
	}
	for _, name := range p.core.Space().Owners() {
		for _, k := range p.core.Space().Owned(name) {
			p.check(t, p.core.Closed(p.now, p.core.Space().Owner(k)))
		}
	}
	for _, home := range []wire.ServerID{peerA, peerB} {
		for id := range wire.PEID(5) {
			for _, h := range []wire.PoolHandle{"web", "db", "bank"} {
				p.check(t, p.core.Forget(p.now, home, handlespace.Key{Pool: h, PE: id}))
			}
		}
	}
	for range 10 { // graces, and adopted elements that are asked meanwhile
		p.now = p.now.Add(grace)
		p.check(t, p.core.Tick(p.now))
	}
	if n := p.core.Counters(); n.Elements != 0 || n.Pools != 0 || n.Subscriptions != 0 || n.Yielded != 0 || len(p.elements) != 0 || len(p.updated) != 0 {
		t.Errorf("%d elements, %d pools, %d subscriptions are left; the observer knows of %d elements, others of %d",
			n.Elements, n.Pools, n.Subscriptions, len(p.elements), len(p.updated))
	}
	if len(p.open) > 0 {
		t.Errorf("%d associations to reach elements are open, and no element's", len(p.open))
	}
	if d := p.core.Deadline(); !d.IsZero() {
		t.Errorf("nothing is left, but due in %v", d.Sub(p.now))
	}
}
