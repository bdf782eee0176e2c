// SPDX-License-Identifier: Apache-2.0

package handlespace_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// grown is a pool of many elements, and which they are.
type grown struct {
	t     *testing.T
	rnd   *rand.Rand
	space *handlespace.Space
	by    handlespace.Identity
	there map[wire.PEID]uint16 // their ports

	observing bool
}

func (g *grown) add(id wire.PEID) {
	port := uint16(g.rnd.IntN(1000))
	mustRegister(g.t, g.space, g.by, "p", tcp(id, port))
	g.there[id] = port
	g.observe()
}

func (g *grown) remove(id wire.PEID) {
	if e := g.space.Remove(handlespace.Key{Pool: "p", PE: id}); e == nil || e.User.Port != g.there[id] {
		g.t.Fatalf("%v is not as it was registered: %v", id, e)
	}
	delete(g.there, id)
	g.observe()
}

// observe sometimes has a snapshot made, so that the pool's order is kept; else it is made anew for the next.
func (g *grown) observe() {
	if g.observing && g.rnd.IntN(2) == 0 {
		g.space.Pool("p")
	}
}

func (g *grown) check(p *handlespace.Pool) {
	g.t.Helper()
	want := slices.Sorted(maps.Keys(g.there))
	if p == nil {
		if len(want) > 0 {
			g.t.Fatalf("no pool, want %d elements", len(want))
		}
		return
	}
	var got []wire.PEID
	for e := range p.All() {
		got = append(got, e.ID)
		if found := p.Find(e.ID); found != e || e.User.Port != g.there[e.ID] {
			g.t.Fatalf("%v: found %v, port %d, want %d", e, found, e.User.Port, g.there[e.ID])
		}
	}
	if !slices.Equal(got, want) || p.Len() != len(want) {
		g.t.Fatalf("%d elements, Len %d, want %d", len(got), p.Len(), len(want))
	}
}

// A pool grows and shrinks in all orders; what a snapshot showed before stays.
func TestPoolGrowsAndShrinks(t *testing.T) {
	const n = 1500
	orders := map[string]func(rnd *rand.Rand, i int) wire.PEID{
		"ascending":  func(_ *rand.Rand, i int) wire.PEID { return wire.PEID(i) },
		"descending": func(_ *rand.Rand, i int) wire.PEID { return wire.PEID(n - i) },
		"scattered":  func(_ *rand.Rand, i int) wire.PEID { return wire.PEID(i * 2654435761) },
		"extremes":   func(_ *rand.Rand, i int) wire.PEID { return wire.PEID(i/2) ^ -wire.PEID(i%2) },
	}
	for up, grow := range orders {
		for down, shrink := range orders {
			t.Run(up+" and "+down, func(t *testing.T) {
				g := &grown{t, rand.New(rand.NewPCG(1, 2)), handlespace.New(), identity(1, "pe"), map[wire.PEID]uint16{}, up != down}
				for i := range n {
					g.add(grow(g.rnd, i))
				}
				g.check(g.space.Pool("p"))
				g.observing = true
				full := grown{t, g.rnd, g.space, g.by, maps.Clone(g.there), false}
				before := g.space.Pool("p")
				g.shrink(n, shrink)
				full.check(before)
				g.check(g.space.Pool("p"))
				g.add(7)
				g.check(g.space.Pool("p"))
			})
		}
	}
}

// shrink takes all out: those of the order that are there, then the others.
func (g *grown) shrink(n int, order func(*rand.Rand, int) wire.PEID) {
	for i := range n {
		id := order(g.rnd, i)
		if _, ok := g.there[id]; ok {
			g.remove(id)
		}
		if i%500 == 0 {
			g.check(g.space.Pool("p"))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(g.there)) {
		g.remove(id)
	}
}

// Ranges of identifiers leave together and others come together, so that whole branches empty beside full ones.
func TestPoolOfRanges(t *testing.T) {
	g := &grown{t, rand.New(rand.NewPCG(3, 4)), handlespace.New(), identity(1, "pe"), map[wire.PEID]uint16{}, true}
	for phase := range 150 {
		from, length, step := g.rnd.IntN(4000), g.rnd.IntN(1500), 1+g.rnd.IntN(3)
		for i := from; i < from+length; i += step {
			id := wire.PEID(i)
			if _, there := g.there[id]; phase%2 == 0 && !there {
				g.add(id)
			} else if phase%2 == 1 && there {
				g.remove(id)
			}
		}
		g.check(g.space.Pool("p"))
	}
}
