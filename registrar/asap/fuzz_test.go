// SPDX-License-Identifier: Apache-2.0

package asap_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// FuzzCore plays two bytes at a time: what happens, and to whom. Afterwards all sessions end, and nothing may be left.
func FuzzCore(f *testing.F) {
	for seed := range uint64(6) {
		rnd, script := rand.New(rand.NewPCG(seed, 0)), make([]byte, 600)
		for i := range script {
			script[i] = byte(rnd.Uint32())
		}
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		p := newPlayer()
		for i := 0; i+1 < min(len(script), 4000); i += 2 {
			p.check(t, p.act(script[i], script[i+1]))
		}
		for _, who := range players() {
			p.check(t, p.core.Closed(p.now, p.identity(who)))
		}
		p.now = p.now.Add(grace)
		p.check(t, p.core.Tick(p.now))
		if n := p.core.Counters(); n.Elements != 0 || n.Pools != 0 || len(p.elements) != 0 {
			t.Errorf("%d elements in %d pools are left, the observer knows of %d", n.Elements, n.Pools, len(p.elements))
		}
		if d := p.core.Deadline(); !d.IsZero() {
			t.Errorf("nothing is left, but due in %v", d.Sub(p.now))
		}
	})
}

func players() []peer { return []peer{"a", "a.2", "b", "b.2", "c", "r", "s", "nobody"} }

// player is a world, its time, and what an observer has learnt of it: the elements by name.
type player struct {
	*world
	now      time.Time
	elements map[handlespace.Key]*handlespace.Element
}

func newPlayer() *player {
	w := newWorld(func(c *asap.Config) { c.MaxElements, c.MaxElementsPerIdentity = 9, 5 })
	return &player{world: w, now: w.start, elements: map[handlespace.Key]*handlespace.Element{}}
}

func (p *player) act(what, whom byte) []asap.Action {
	from := p.identity(players()[whom%8])
	pool := []wire.PoolHandle{"web", "web", "db", "bank"}[whom>>3%4]
	id := wire.PEID(whom>>5) + 1
	options := []func(*wire.PoolElement){life(1), life(20), life(0), port(81), wrr(uint32(whom % 3)), sctp(1), opaque, private}
	own := policed(wire.RoundRobin())
	if pool == "db" {
		own = policed(wire.LeastUsedWithDegradation(uint32(whom), 50))
	}
	switch what % 16 {
	case 0:
		return p.core.Closed(p.now, from)
	case 1:
		return p.core.SetGrants(p.now, grantsOfAll()[:1+whom%3])
	case 2, 3, 4:
		p.now = p.now.Add(time.Duration(whom) * 20 * time.Millisecond)
		return p.core.Tick(p.now)
	case 5:
		return p.core.Handle(p.now, from, &wire.Deregistration{Pool: pool, PE: id})
	case 6:
		return p.core.Handle(p.now, from, &wire.HandleResolution{Pool: pool})
	case 7, 8:
		return p.core.Handle(p.now, from, &wire.EndpointKeepAliveAck{Pool: pool, PE: id})
	case 9:
		return p.core.Handle(p.now, from, &wire.EndpointUnreachable{Pool: pool, PE: id})
	case 10:
		return p.core.Handle(p.now, from, &wire.ServerAnnounce{})
	case 11:
		return p.core.Handle(p.now, from, &wire.Registration{Pool: pool, Element: element(id, own, options[what>>4%8])})
	}
	return p.core.Handle(p.now, from, &wire.Registration{Pool: pool, Element: element(id, own)})
}

func (p *player) check(t *testing.T, actions []asap.Action) {
	t.Helper()
	for _, a := range actions {
		switch a := a.(type) {
		case asap.Changed:
			p.learn(t, a)
		case asap.Send:
			if _, err := wire.AppendASAP(nil, a.Message); err != nil {
				t.Fatalf("cannot be sent: %v", err)
			}
		}
	}
	n := p.core.Counters()
	if n.Elements != len(p.elements) || n.Elements > 9 {
		t.Fatalf("%d elements, the observer knows of %d, at most 9 allowed", n.Elements, len(p.elements))
	}
	perIdentity := map[string]int{}
	for _, e := range p.elements {
		if perIdentity[e.Identity]++; perIdentity[e.Identity] > 5 {
			t.Fatalf("%s has more than 5 elements", e.Identity)
		}
	}
	p.checkTime(t, n)
}

// checkTime: every element has a deadline, since each is probed, or due an answer, or away.
func (p *player) checkTime(t *testing.T, n asap.Counters) {
	t.Helper()
	if d := p.core.Deadline(); d.IsZero() != (n.Elements == 0) {
		t.Fatalf("deadline %v with %d elements", d, n.Elements)
	}
	joined := n.Registrations
	var left uint64
	for _, c := range n.Departed {
		left += c
	}
	if joined-left != uint64(n.Elements) {
		t.Fatalf("%d joined, %d left, %d are there", joined, left, n.Elements)
	}
}

// learn follows a Changed as an observer does, and checks that it says just what happened: who is no longer there has
// departed, and who departed is no longer there.
func (p *player) learn(t *testing.T, a asap.Changed) {
	t.Helper()
	h := a.Pool.Handle()
	for _, d := range a.Departed {
		k := handlespace.Key{Pool: h, PE: d.Element.ID}
		if _, ok := p.elements[k]; !ok {
			t.Fatalf("%v departed, but was never there", k)
		}
		delete(p.elements, k)
	}
	for k := range p.elements {
		if k.Pool == h && a.Pool.Find(k.PE) == nil {
			t.Fatalf("%v is gone without a departure", k)
		}
	}
	for e := range a.Pool.All() {
		p.elements[handlespace.Key{Pool: h, PE: e.ID}] = e
		if e.Identity == "" || h == "bank" || !slices.Contains([]string{"a", "b"}, e.Identity) {
			t.Fatalf("%q serves %q", e.Identity, h)
		}
	}
}
